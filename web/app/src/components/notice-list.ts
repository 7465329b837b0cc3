import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import { t } from '../i18n/i18n.js';
import type { Notice, Notices } from '../model/notices.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon, type IconName } from './icons.js';

const ICONS: Record<Notice['tone'], IconName> = { info: 'info', warning: 'warning', error: 'warning' };

/** What a person needs to know, in the flow of the page: it never covers a control. */
@customElement('cl-notice-list')
export class NoticeList extends Component {
  @property({ attribute: false }) notices!: Notices;

  static override styles = [
    base,
    buttons,
    css`
      .notice {
        margin-block-start: 6px;
        display: flex;
        align-items: center;
        gap: 10px;
        padding: 4px 4px 4px 12px;
        border-radius: var(--radius-m);
        background: var(--accent-soft);
        font-size: 0.84375rem;
      }
      .notice > svg {
        color: var(--accent);
      }
      .warning {
        background: var(--warn-soft);
      }
      .warning > svg {
        color: var(--warn);
      }
      .error {
        background: var(--stop-soft);
      }
      .error > svg {
        color: var(--stop-ink);
      }
      p {
        flex: 1;
        min-inline-size: 0;
        padding-block: 6px;
        overflow-wrap: anywhere;
      }
      small {
        color: var(--ink-2);
        font-size: var(--text-xs);
      }
      .link {
        min-block-size: var(--target);
        padding-inline: 6px;
        flex: none;
      }
      @media (forced-colors: active) {
        .notice {
          border: 1px solid CanvasText;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.notices.state];
  }

  override render(): unknown {
    return repeat(
      this.notices.state.value,
      (notice) => notice.id,
      (notice) => html`<div class="notice ${notice.tone}" role=${notice.tone === 'error' ? 'alert' : 'status'} data-testid="notice" data-notice=${notice.id}>
        ${icon(ICONS[notice.tone])}
        <p>${t(notice.text, notice.params)} ${notice.detail ? html`<small>${notice.detail}</small>` : nothing}</p>
        ${notice.action ? html`<button type="button" class="link" @click=${() => this.#act(notice)}>${t(notice.action.label)}</button>` : nothing}
        <button type="button" class="icon-button" aria-label=${t('action.close')} @click=${() => this.notices.dismiss(notice.id)}>${icon('close')}</button>
      </div>`,
    );
  }

  #act(notice: Notice): void {
    this.notices.dismiss(notice.id);
    notice.action?.run();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-notice-list': NoticeList;
  }
}
