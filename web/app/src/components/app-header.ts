import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import { audioIsLost } from '../model/call-text.js';
import type { Desk } from '../model/desk.js';
import type { PhoneView } from '../model/phone-store.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import type { LineMode } from './line.js';
import './avatar.js';
import './line.js';

/** Who I am, how I am reachable, and the line. */
@customElement('cl-app-header')
export class AppHeader extends Component {
  @property({ attribute: false }) desk!: Desk;

  static override styles = [
    base,
    buttons,
    css`
      :host {
        display: block;
      }
      header {
        display: flex;
        align-items: center;
        gap: 10px;
        padding: 10px 8px 4px 16px;
        min-block-size: 56px;
      }
      .me {
        flex: 1;
        min-inline-size: 0;
        display: grid;
        line-height: 1.25;
      }
      .me b {
        font-weight: 600;
      }
      .state {
        color: var(--ink-2);
        font-size: var(--text-s);
      }
      .state[data-tone='warn'] {
        color: var(--warn);
        font-weight: 600;
      }
      .state[data-tone='off'] {
        font-weight: 600;
      }
      cl-line {
        margin-inline: 16px;
      }
      @media (max-height: 560px) {
        header {
          padding-block: 6px 0;
          min-block-size: 48px;
        }
        cl-line {
          block-size: 14px;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.calls.state, this.desk.settings.state];
  }

  override render(): unknown {
    const view = this.desk.calls.state.value;
    const { account } = this.desk;
    const presence = presenceOf(view);
    const foreground = this.desk.calls.foreground;
    return html`
      <header>
        <cl-avatar size="s" name=${account.displayName} dot=${presence.dot}></cl-avatar>
        <div class="me">
          <b class="truncate">${account.displayName}</b>
          <span class="state truncate" data-testid="connection-state" data-state=${view.connection.state} data-tone=${presence.tone}>
            ${t(presence.text)} · <span class="tabular">${account.number}</span>
          </span>
        </div>
        <button type="button" class="icon-button" aria-label=${t('action.search')} title=${`${t('action.search')} (/)`} @click=${() => this.desk.focusField()}>${icon('search')}</button>
      </header>
      <cl-line
        data-testid="line"
        data-mode=${lineMode(view)}
        mode=${lineMode(view)}
        appearance=${this.desk.settings.state.value.appearance}
        .levels=${() => (foreground ? this.desk.phone.levels(foreground.id) : null)}
      ></cl-line>
    `;
  }
}

interface Presence {
  readonly text: MessageKey;
  readonly dot: 'available' | 'busy' | 'away' | 'offline';
  readonly tone: '' | 'warn' | 'off';
}

/** One phrase for people: connection trouble first, then the call, then availability. */
function presenceOf(view: PhoneView): Presence {
  switch (view.connection.state) {
    case 'connecting':
      return { text: 'presence.connecting', dot: 'offline', tone: '' };
    case 'reconnecting':
      return { text: 'presence.reconnecting', dot: 'away', tone: 'warn' };
    case 'offline':
      return { text: 'presence.offline', dot: 'offline', tone: 'off' };
    case 'registered':
      break;
  }
  if (view.current.some(audioIsLost)) {
    return { text: 'presence.reconnectingAudio', dot: 'busy', tone: 'warn' };
  }
  if (view.current.length > 0) return { text: 'presence.onCall', dot: 'busy', tone: '' };
  if (view.incoming.length > 0) return { text: 'presence.ringing', dot: 'away', tone: '' };
  return { text: 'presence.available', dot: 'available', tone: '' };
}

/** The voices decide while they are heard; otherwise the connection does. */
export function lineMode(view: PhoneView): LineMode {
  const active = view.current.find((call) => call.state === 'active');
  if (active?.media === 'connected') return 'call';
  if (active && audioIsLost(active)) return 'reconnecting';
  switch (view.connection.state) {
    case 'offline':
      return 'offline';
    case 'reconnecting':
      return 'reconnecting';
    case 'connecting':
      return 'idle';
    case 'registered':
      return view.incoming.length > 0 || view.current.length > 0 ? 'ringing' : 'ready';
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-app-header': AppHeader;
  }
}
