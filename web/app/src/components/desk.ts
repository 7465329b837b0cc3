import { css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import type { Desk as DeskModel } from '../model/desk.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import { KeyboardControl } from './keyboard-control.js';
import './app-header.js';
import './app-nav.js';
import './call-stack.js';
import './connection-banner.js';
import './dial-panel.js';
import './live-region.js';
import './notice-list.js';
import './phone-view.js';
import './calls-view.js';
import './contacts-view.js';
import './settings-view.js';
import './shortcuts-dialog.js';

const WIDE = '(min-width: 840px)';

/** The signed-in app: header and line, calls, the view, the ways between them. */
@customElement('cl-desk')
export class DeskElement extends Component {
  @property({ attribute: false }) desk!: DeskModel;
  @property({ attribute: false }) signOut!: () => void;
  @state() private wide = matchMedia(WIDE).matches;
  @query('main') private main!: HTMLElement;
  readonly #media = matchMedia(WIDE);
  #keyboard: KeyboardControl | null = null;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        block-size: 100%;
        grid-template: 'header' auto 'banner' auto 'calls' minmax(0, auto) 'view' minmax(0, 1fr) 'nav' auto / minmax(0, 1fr);
        background: var(--bg);
        color: var(--ink);
      }
      cl-app-header {
        grid-area: header;
      }
      .banners {
        grid-area: banner;
        padding-inline: 16px;
      }
      .calls {
        grid-area: calls;
        padding: 6px 16px 14px;
        overflow: auto;
        scrollbar-width: thin;
      }
      main {
        grid-area: view;
        container: view / inline-size;
        overflow: auto;
        padding: 8px 16px 16px;
        scrollbar-width: thin;
        overscroll-behavior: contain;
      }
      main:focus {
        outline: none;
      }
      cl-app-nav {
        grid-area: nav;
      }
      :host([wide]) {
        grid-template: 'nav header header' auto 'nav banner banner' auto 'nav view calls' minmax(0, 1fr) / 108px minmax(0, 1fr) clamp(340px, 34vw, 430px);
      }
      :host([wide]) .calls {
        border-inline-start: 1px solid var(--hair);
        padding: 16px 14px;
        margin-block-start: 4px;
      }
      :host([wide]) main {
        padding: 16px 24px 24px;
        margin-block-start: 4px;
      }
      :host([wide]) .column {
        max-inline-size: 860px;
        margin-inline: auto;
      }
      cl-shortcuts-dialog {
        grid-area: view;
        z-index: 2;
        align-self: start;
        max-block-size: 100%;
        overflow: auto;
        padding: 8px 16px 16px;
        pointer-events: none;
      }
      cl-shortcuts-dialog::part(panel) {
        pointer-events: auto;
      }
      cl-dial-panel {
        max-inline-size: 340px;
        margin: 8px auto 0;
      }
      @media (max-height: 560px) {
        main {
          padding-block: 4px 8px;
        }
        .calls {
          padding-block: 4px 6px;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.state, this.desk.calls.state];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#media.addEventListener('change', this.#resized);
    this.#keyboard = new KeyboardControl(this.desk);
    this.addEventListener('focus-lost', () => this.main.focus());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#media.removeEventListener('change', this.#resized);
    this.#keyboard?.dispose();
  }

  override render(): unknown {
    this.toggleAttribute('wide', this.wide);
    const { view, panel } = this.desk.state.value;
    const { incoming, current, ended, elsewhere } = this.desk.calls.state.value;
    const live = incoming.length + current.length > 0;
    const cards = live || ended.length > 0 || elsewhere.length > 0;
    const compact = !this.wide && view !== 'phone';
    // What is open in a call's card needs the room of the view on a small window.
    const covered = !this.wide && panel !== null && !compact;
    return html`
      <cl-app-header .desk=${this.desk}></cl-app-header>
      <div class="banners">
        <cl-connection-banner .desk=${this.desk}></cl-connection-banner>
        <cl-notice-list .notices=${this.desk.notices}></cl-notice-list>
      </div>
      ${cards || this.wide
        ? html`<aside class="calls" aria-label=${t('calls.area')}>
            <cl-call-stack .desk=${this.desk} ?compact=${compact}></cl-call-stack>
            ${this.wide && !live ? html`<cl-dial-panel .desk=${this.desk} ?display=${view !== 'phone'}></cl-dial-panel>` : nothing}
          </aside>`
        : nothing}
      <main tabindex="-1" ?hidden=${covered}><div class="column">${this.#view(view, live)}</div></main>
      <cl-app-nav .desk=${this.desk} ?rail=${this.wide}></cl-app-nav>
      <cl-shortcuts-dialog .desk=${this.desk}></cl-shortcuts-dialog>
      <cl-live-region .announcer=${this.desk.announcer}></cl-live-region>
    `;
  }

  #view(view: DeskModel['state']['value']['view'], live: boolean): unknown {
    switch (view) {
      case 'phone':
        return html`<cl-phone-view .desk=${this.desk} ?wide=${this.wide} ?inCall=${live}></cl-phone-view>`;
      case 'calls':
        return html`<cl-calls-view .desk=${this.desk}></cl-calls-view>`;
      case 'contacts':
        return html`<cl-contacts-view .desk=${this.desk}></cl-contacts-view>`;
      case 'settings':
        return html`<cl-settings-view .desk=${this.desk} .signOut=${this.signOut}></cl-settings-view>`;
    }
  }

  readonly #resized = (): void => {
    this.wide = this.#media.matches;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-desk': DeskElement;
  }
}
