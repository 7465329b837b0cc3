import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { CallState, TransferRequest, TransferState } from '@clearline/phone';
import { amount, decimal, percent, t, type MessageKey } from '../i18n/i18n.js';
import { ACTIONS, perform, type ActionId } from '../model/actions.js';
import { audioIsLost, controlsRoom, stateText } from '../model/call-text.js';
import { divertedText, redirectedText } from '../model/diversion-text.js';
import type { CallPanel, Desk } from '../model/desk.js';
import { microphoneText } from '../model/microphone.js';
import { isWaiting, transferFailure } from '../model/transfer-text.js';
import type { Quality } from '../model/quality.js';
import { base, buttons } from '../styles/shared.js';
import { cards } from '../styles/cards.js';
import { callCard } from '../styles/call-card.js';
import { Component } from './component.js';
import { focusLost } from './focus.js';
import { icon, type IconName } from './icons.js';
import './avatar.js';
import './call-picker.js';
import './call-timer.js';
import './device-select.js';
import './keypad.js';
import './participants.js';
import './voice-wave.js';

const ASK_HINT_MS = 700;

/** A call that is up, on its way up, or held. */
@customElement('cl-call-card')
export class CallCard extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;
  /** One row: name, time and the three commonest actions. */
  @property({ type: Boolean, reflect: true }) compact = false;
  /** Other calls need room too: no second line of names, no picture of the voices. */
  @property({ type: Boolean, reflect: true }) tight = false;
  @state() private detail: 'none' | 'audio' | 'quality' = 'none';
  @state() private askHint = false;
  #panelWas: CallPanel['kind'] | null = null;
  #chosenWas = false;
  #hintTimer: ReturnType<typeof setTimeout> | undefined;

  static override styles = [base, buttons, cards, callCard];

  protected override watched() {
    const { desk } = this;
    return [desk.contacts.state, desk.quality.state, desk.state, desk.devices.state, desk.calls.state];
  }

  /** Some things take the far end's consent, which a platform has to carry. */
  #mustWait(action: ActionId): boolean {
    const isOffline = this.desk.calls.state.value.phone.connection.type !== 'connected';
    if (action === 'transfer') return isOffline || this.desk.panelOf(this.call.id) !== 'transfer' && !ACTIONS.transfer.enabled(this.desk, this.call);
    if (action === 'split') return isOffline || this.call.negotiating;
    // Whoever waits joins a conference, or waits until it is over.
    const conferring = this.call.localHold && this.call.conference === null && this.desk.calls.talking?.conference != null;
    return action === 'hold' && (this.call.negotiating || isOffline || conferring);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#hintTimer);
  }

  override updated(): void {
    this.#watchForMicrophoneQuestion();
    this.#moveFocus();
  }

  /** To the card that the keyboard has chosen, and back to the card when what was open in it closes. */
  #moveFocus(): void {
    const panel = this.desk.panelOf(this.call.id);
    const chosen = this.desk.state.value.line === this.call.id;
    const closed = this.#panelWas !== null && panel === null && focusLost();
    if (closed || (chosen && !this.#chosenWas)) this.renderRoot.querySelector<HTMLElement>('section')?.focus();
    this.#panelWas = panel;
    this.#chosenWas = chosen;
  }

  override render(): unknown {
    const { call } = this;
    const person = this.desk.contacts.person(call.remote);
    const held = call.localHold;
    const open = this.compact ? null : this.desk.panelOf(call.id);
    const short = this.compact || (held && open === null);
    const panel = short ? null : open;
    const isRoom = call.participants.length > 0;
    const small = short || panel !== null || this.tight || isRoom;
    const way = short || panel ? null : this.#way();
    const chosen = this.desk.state.value.line === call.id;
    return html`<section
      class="card ${held && short ? 'held' : ''} ${this.compact ? 'compact' : ''} ${chosen ? 'chosen' : ''}"
      role="region" tabindex="-1"
      aria-label=${person.name}
      data-testid="call-card"
      data-call-state=${call.state}
      data-call-id=${call.id}
      data-held=${held ? 'true' : 'false'}
      data-muted=${call.muted ? 'true' : 'false'}
    >
      <div class="who">
        <cl-avatar size=${small ? 'm' : 'l'} name=${person.name}></cl-avatar>
        <div class="names">
          <h2>${person.name}</h2>
          ${small ? this.#status() : html`<p class="sub tabular truncate">${person.number === person.name ? '' : person.number}</p>`}
          ${way}
        </div>
        ${short ? this.#shortControls() : nothing} ${small && !short ? this.#qualityMark() : nothing}
      </div>
      ${short ? this.#problems() : this.#body(panel)}
    </section>`;
  }

  /** By which way the two came together, where it was not the straight one. */
  #way(): unknown {
    const { call, desk } = this;
    const before = desk.calls.state.value.formerly.get(call.id);
    const person = before && desk.contacts.person(before);
    const passedOn = person && person.name !== desk.contacts.person(call.remote).name ? t('call.passedOn', { name: person.name }) : null;
    const by = call.transferredBy && t('call.passedOn', { name: desk.contacts.person(call.transferredBy).name });
    const text = passedOn ?? by ?? redirectedText(call, desk.contacts) ?? divertedText(call, desk.contacts);
    return text ? html`<p class="sub truncate" data-testid="way">${text}</p>` : nothing;
  }

  #body(panel: CallPanel['kind'] | null): unknown {
    const { call } = this;
    const open = panel !== null;
    const isRoom = call.participants.length > 0;
    return html`
      ${open || this.tight || isRoom ? nothing : html`<div class="status-row">${this.#status()}${this.#qualityMark()}</div>`}
      ${this.detail === 'quality' ? this.#qualityNumbers() : nothing}
      ${this.#problems() ?? (call.state === 'active' && !open && !this.tight && !isRoom ? this.#voices() : nothing)}
      ${isRoom && !open ? html`<cl-participants .desk=${this.desk} .call=${call}></cl-participants>` : nothing}
      ${panel === 'keypad' ? this.#keypad() : nothing}
      ${panel === 'add' || panel === 'transfer' ? html`<cl-call-picker .desk=${this.desk} .call=${call} kind=${panel}></cl-call-picker>` : nothing}
      ${this.detail === 'audio' ? this.#audio() : nothing}
      <div class="bottom ${open ? `${panel}-open` : ''}">
        <div class="controls">${this.#controls()}</div>
        ${this.#endButton()}
      </div>
    `;
  }

  /** Both voices, or where they are: another window of this account may carry the sound. */
  #voices(): unknown {
    const { phone } = this.desk;
    return phone.state.ownsMedia
      ? html`<cl-voice-wave .levels=${() => (audioIsLost(this.call) ? null : phone.levels(this.call.id))}></cl-voice-wave>`
      : html`<p class="sub">${t('call.elsewhere')}</p>`;
  }

  #status(): unknown {
    const { call } = this;
    const to = this.desk.switchboard.destination(call.id);
    const key = stateText(call);
    const text = key === 'transfer.referring' && to ? t('transfer.referringTo', { name: to }) : t(key);
    const trouble = audioIsLost(call);
    const plain = call.state === 'active' && stateText(call) === 'call.active';
    const since = this.desk.calls.state.value.heldSince.get(call.id) ?? call.answeredAt;
    const timer = since !== null ? html`<cl-call-timer since=${since}></cl-call-timer>` : nothing;
    const words = plain ? nothing : html`<span>${text}</span>`;
    return html`<p class="status ${trouble ? 'trouble' : ''}">
      ${call.localHold ? html`${words}${call.answeredAt !== null ? html`<span aria-hidden="true">·</span>` : nothing}${timer}` : html`${timer} ${words}`}
      ${call.muted && (this.compact || call.localHold) ? html`<span class="muted-mark">${icon('micOff')}${t('call.muted')}</span>` : nothing}
    </p>`;
  }

  /** `null` when there is none. A problem takes the place of the voices: End stays in sight. */
  #problems(): unknown {
    const { call } = this;
    if (call.transferRequest) return this.#question(call.transferRequest);
    if (call.transfer?.type === 'failed') return this.#failedTransfer(call.transfer);
    if (call.microphoneProblem) {
      const { what, remedy } = microphoneText(call.microphoneProblem);
      return html`<div class="note" role="alert">
        ${icon('micOff')}
        <div>
          <b>${t(what)}</b><span>${t(remedy)}</span>
          <button type="button" class="link" @click=${this.#retryMicrophone}>${t('microphone.retry')}</button>
        </div>
      </div>`;
    }
    if (this.askHint) return html`<div class="note">${icon('mic')}<div><b>${t('microphone.ask')}</b><span>${t('microphone.askWhy')}</span></div></div>`;
    return null;
  }

  /** The far end wants this user to speak with somebody else. */
  #question({ target }: TransferRequest): unknown {
    const { contacts, switchboard } = this.desk;
    const name = contacts.person(this.call.remote).name;
    const other = contacts.person(target).name;
    return html`<div class="note question" role="group" aria-label=${t('transfer.request', { name, target: other })} data-testid="transfer-request">
      ${icon('transfer')}
      <div>
        <b>${t('transfer.request', { name, target: other })}</b>
        <div class="two">
          <button type="button" class="button soft" @click=${() => void switchboard.decide(this.call.id, false)}>${t('transfer.decline')}</button>
          <button type="button" class="button primary" @click=${() => void switchboard.decide(this.call.id, true)}>${t('transfer.accept')}</button>
        </div>
      </div>
    </div>`;
  }

  /** What happened, what it means for the call, what to do. */
  #failedTransfer(failed: Extract<TransferState, { type: 'failed' }>): unknown {
    const name = this.desk.contacts.person(this.call.remote).name;
    const to = this.desk.switchboard.destination(this.call.id);
    const reason = t(transferFailure(failed));
    return html`<div class="note" data-testid="transfer-failed">
      ${icon('warning')}
      <div>
        <b>${to ? t('transfer.failedTo', { name: to, reason }) : t('transfer.failed', { reason })}</b>
        <span>${t(isWaiting(this.call) ? 'transfer.stillHeld' : 'transfer.isBack', { name })} ${failed.sipStatus ? html`<span class="code tabular">${t('end.code', { code: String(failed.sipStatus) })}</span>` : nothing}</span>
        <button type="button" class="link" @click=${() => this.desk.togglePanel(this.call.id, 'transfer')}>${t('transfer.again')}</button>
      </div>
    </div>`;
  }

  #controls(): unknown {
    const { call } = this;
    const panel = this.desk.panelOf(call.id);
    const active = call.state === 'active';
    return html`
      ${this.#control(call.muted ? 'action.unmute' : 'action.mute', call.muted ? 'micOff' : 'mic', 'mute', call.muted)}
      ${active ? this.#control('action.hold', 'pause', 'hold', false) : nothing}
      ${active || call.earlyMedia ? this.#control('action.keypad', 'keypad', 'keypad', panel === 'keypad', panel === 'keypad') : nothing}
      ${active && call.transferable && !ACTIONS.cancelTransfer.enabled(this.desk, call) ? this.#control('action.transfer', 'transfer', 'transfer', panel === 'transfer', panel === 'transfer') : nothing}
      ${active ? this.#control(controlsRoom(call) ? 'conference.add' : 'action.add', 'add', 'add', panel === 'add', panel === 'add') : nothing}
      <button type="button" class="control ${this.detail === 'audio' ? 'on' : ''}" aria-expanded=${this.detail === 'audio'} @click=${() => this.#toggle('audio')}>
        ${icon('speaker')}<span>${t('action.audio')}</span>
      </button>
    `;
  }

  #control(label: MessageKey, name: IconName, action: ActionId, on: boolean, expanded?: boolean): unknown {
    return html`<button
      type="button"
      class="control ${action} ${on ? 'on' : ''}"
      aria-expanded=${expanded ?? nothing}
      title=${`${t(label)} (${keyOf(action)})`}
      ?disabled=${this.#mustWait(action)}
      @click=${() => this.#act(action)}
    >
      ${icon(name)}<span>${t(label)}</span>
    </button>`;
  }

  #shortControls(): unknown {
    const { call } = this;
    const active = call.state === 'active';
    if (call.conference !== null) {
      return html`<div class="short">${this.#short('action.split', 'split', 'split', false)} ${this.#shortEnd()}</div>`;
    }
    return html`<div class="short">
      ${call.localHold ? nothing : this.#short(call.muted ? 'action.unmute' : 'action.mute', call.muted ? 'micOff' : 'mic', 'mute', call.muted)}
      ${active ? this.#short(call.localHold ? 'action.resume' : 'action.hold', call.localHold ? 'play' : 'pause', 'hold', false) : nothing}
      ${this.#shortEnd()}
    </div>`;
  }

  #shortEnd(): unknown {
    return html`<button type="button" class="round stop" aria-label=${t('action.end')} title=${t('action.end')} ?disabled=${this.call.state === 'ending'} @click=${() => this.#act('end')}>
      ${icon('end')}
    </button>`;
  }

  #short(label: MessageKey, name: IconName, action: ActionId, on: boolean): unknown {
    return html`<button
      type="button"
      class="round ${on ? 'on' : ''}"
      aria-label=${t(label)}
      title=${t(label)}
      ?disabled=${this.#mustWait(action)}
      @click=${() => this.#act(action)}
    >
      ${icon(name)}
    </button>`;
  }

  #endButton(): unknown {
    const ending = this.call.state === 'ending';
    return html`<button type="button" class="button stop large" ?disabled=${ending} title=${`${t('action.end')} (E)`} @click=${() => this.#act('end')}>
      ${icon('end')}<span>${t(this.call.focus ? 'conference.leave' : 'action.end')}</span>
    </button>`;
  }

  #keypad(): unknown {
    const tones = this.desk.state.value.tones.get(this.call.id) ?? '';
    return html`<div class="tones">
      <p class="sent tabular ${tones ? '' : 'empty'}"><bdi>${tones || t('keypad.hint')}</bdi></p>
      <cl-keypad @key=${(event: CustomEvent<string>) => this.#tone(event.detail)}></cl-keypad>
    </div>`;
  }

  #audio(): unknown {
    const { named } = this.desk.devices.state.value;
    return html`<div class="audio">
      <cl-device-select .devices=${this.desk.devices} kind="microphone"></cl-device-select>
      <cl-device-select .devices=${this.desk.devices} kind="speaker"></cl-device-select>
      ${named ? nothing : html`<button type="button" class="link" @click=${() => void this.desk.devices.allowMicrophone()}>${t('audio.allowNames')}</button>`}
    </div>`;
  }

  #qualityMark(): unknown {
    const quality = this.#quality;
    if (!quality) return nothing;
    return html`<button type="button" class="quality ${quality.grade}" aria-expanded=${this.detail === 'quality'} aria-label=${t('quality.open', { grade: t(`quality.${quality.grade}`) })} @click=${() => this.#toggle('quality')}>
      <span class="bars" aria-hidden="true"><i></i><i></i><i></i></span>${t(`quality.${quality.grade}`)}
    </button>`;
  }

  #qualityNumbers(): unknown {
    const quality = this.#quality;
    if (!quality) return nothing;
    const rows: Array<[MessageKey, string]> = [
      ['quality.score', decimal(quality.mos)],
      ['quality.loss', percent(quality.loss)],
      ['quality.jitter', amount(quality.jitterMs, 'millisecond')],
      ['quality.roundTrip', quality.roundTripMs === null ? '–' : amount(quality.roundTripMs, 'millisecond')],
      ['quality.codec', quality.codec || '–'],
    ];
    return html`<dl class="numbers">${rows.map(([label, value]) => html`<div><dt>${t(label)}</dt><dd class="tabular">${value}</dd></div>`)}</dl>`;
  }

  get #quality(): Quality | undefined {
    const { call } = this;
    return call.media === 'connected' ? this.desk.quality.state.value.get(call.id) : undefined;
  }

  #toggle(detail: 'audio' | 'quality'): void {
    this.detail = this.detail === detail ? 'none' : detail;
  }

  #act(action: ActionId): void {
    perform(this.desk, action, 'button', this.call.id);
  }

  #tone(key: string): void {
    // A long press on 0 means + only when dialling.
    this.desk.sendTone(this.call.id, key === '+' ? '0' : key);
  }

  readonly #retryMicrophone = (): void => {
    void this.desk.devices.allowMicrophone().then(() => this.desk.phone.setDevices(this.desk.phone.devices));
  };

  /** The browser's own question is easy to miss: point at it when it takes a while. */
  #watchForMicrophoneQuestion(): void {
    const { call } = this;
    const waiting = (call.state === 'preparing' || call.state === 'answering') && this.desk.devices.state.value.permission === 'prompt';
    if (!waiting) {
      clearTimeout(this.#hintTimer);
      this.#hintTimer = undefined;
      if (this.askHint) this.askHint = false;
    } else {
      this.#hintTimer ??= setTimeout(() => (this.askHint = true), ASK_HINT_MS);
    }
  }
}

function keyOf(action: ActionId): string {
  const entry = ACTIONS[action];
  return 'key' in entry ? entry.key : '';
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-card': CallCard;
  }
}
