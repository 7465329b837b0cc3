import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { TONE_COUNTRIES } from '../audio/tone-plans.js';
import { countryName, t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import type { Preferences, RingTone } from '../model/settings.js';
import { base, buttons } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { settingsStyles } from '../styles/settings.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './device-select.js';
import './level-meter.js';

type Switch = 'waitingBeep' | 'callSounds' | 'keySounds' | 'holdMusic';

const RINGS: ReadonlyArray<readonly [RingTone, MessageKey]> = [
  ['classic', 'ring.classic'],
  ['chime', 'ring.chime'],
  ['off', 'ring.off'],
];

const SWITCHES: ReadonlyArray<readonly [Switch, MessageKey, MessageKey]> = [
  ['waitingBeep', 'sounds.waiting', 'sounds.waitingHint'],
  ['callSounds', 'sounds.call', 'sounds.callHint'],
  ['keySounds', 'sounds.keys', 'sounds.keysHint'],
  ['holdMusic', 'sounds.hold', 'sounds.holdHint'],
];

/** Microphone, speaker and where it rings; each can be tried. */
@customElement('cl-settings-audio')
export class SettingsAudio extends Component {
  @property({ attribute: false }) desk!: Desk;

  static override styles = [base, buttons, forms, settingsStyles];

  protected override watched() {
    const { desk } = this;
    return [desk.devices.state, desk.microphoneTest.state, desk.settings.state, desk.calls.state];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.desk.microphoneTest.stop();
  }

  override render(): unknown {
    const { devices } = this.desk;
    const { canChooseOutput } = devices.state.value;
    return html`
      ${this.#permission()}
      <div class="group">
        <cl-device-select .devices=${devices} kind="microphone"></cl-device-select>
        ${this.#microphoneTest()}
      </div>
      <div class="group">
        <cl-device-select .devices=${devices} kind="speaker"></cl-device-select>
        <cl-device-select .devices=${devices} kind="ring"></cl-device-select>
        ${canChooseOutput ? nothing : html`<p class="hint">${t('audio.outputFixed')}</p>`}
        ${this.#ringTone()}
        <button type="button" class="button soft" ?disabled=${this.desk.settings.state.value.ringTone === 'off'} @click=${this.#testRing}>${icon('bell')}<span>${t('ring.test')}</span></button>
      </div>
      <div class="group">
        <h2>${t('sounds.title')}</h2>
        ${SWITCHES.map(([key, label, hint]) => this.#switch(key, label, hint))} ${this.#country()}
      </div>
    `;
  }

  #permission(): unknown {
    const { permission, named } = this.desk.devices.state.value;
    if (permission === 'denied') {
      return html`<div class="note">${icon('micOff')}<div><b>${t('microphone.denied')}</b><span>${t('microphone.deniedRemedy')}</span></div></div>`;
    }
    if (named) return nothing;
    return html`<div class="note">
      ${icon('mic')}
      <div>
        <span>${t('audio.namesHint')}</span>
        <button type="button" class="button soft" @click=${() => void this.desk.devices.allowMicrophone()}>${t('audio.allowNames')}</button>
      </div>
    </div>`;
  }

  #microphoneTest(): unknown {
    const test = this.desk.microphoneTest;
    const state = test.state.value;
    const call = this.desk.calls.foreground;
    if (call?.state === 'active') {
      return html`<cl-level-meter .level=${() => this.desk.phone.levels(call.id)?.microphone ?? 0}></cl-level-meter>
        <p class="hint">${t('audio.meterInCall')}</p>`;
    }
    const { microphone } = this.desk.phone.devices;
    const running = state === 'listening' || state === 'recording';
    return html`
      ${running ? html`<cl-level-meter .level=${() => test.level()}></cl-level-meter>` : nothing}
      <p class="hint" role="status">${t(`microphoneTest.${state}`)}</p>
      <div class="pair">
        ${state === 'idle' || state === 'failed'
          ? html`<button type="button" class="button soft" @click=${() => void test.listen(microphone)}>${icon('mic')}<span>${t('microphoneTest.start')}</span></button>`
          : html`<button type="button" class="button soft" @click=${() => test.stop()}>${icon('close')}<span>${t('microphoneTest.stop')}</span></button>`}
        <button type="button" class="button soft" ?disabled=${state === 'recording' || state === 'playing'} @click=${() => void test.recordAndPlay(microphone)}>
          ${icon('record')}<span>${t('microphoneTest.recordAndPlay')}</span>
        </button>
      </div>
    `;
  }

  #ringTone(): unknown {
    const { ringTone } = this.desk.settings.state.value;
    return html`<fieldset>
      <legend>${t('ring.title')}</legend>
      ${RINGS.map(
        ([tone, label]) => html`<label class="option"><input type="radio" name="ring" value=${tone} .checked=${tone === ringTone} @change=${() => this.#change({ ringTone: tone })} /><span>${t(label)}</span></label>`,
      )}
    </fieldset>`;
  }

  #switch(key: Switch, label: MessageKey, hint: MessageKey): unknown {
    const on = this.desk.settings.state.value[key];
    return html`<button type="button" class="switch" role="switch" aria-checked=${on} @click=${() => this.#change({ [key]: !on })}>
      <span><span>${t(label)}</span><small>${t(hint)}</small></span><span class="knob" aria-hidden="true"></span>
    </button>`;
  }

  #country(): unknown {
    const { toneCountry } = this.desk.settings.state.value;
    const countries = TONE_COUNTRIES.map((code) => [code, countryName(code)] as const).sort((a, b) => a[1].localeCompare(b[1]));
    return html`<label class="choice">
      <span>${t('sounds.country')}</span>
      <select @change=${(event: Event) => this.#change({ toneCountry: (event.target as HTMLSelectElement).value || null })}>
        <option value="" ?selected=${toneCountry === null}>${t('sounds.countryAutomatic')}</option>
        ${countries.map(([code, name]) => html`<option value=${code} ?selected=${code === toneCountry}>${name}</option>`)}
      </select>
    </label>`;
  }

  readonly #testRing = (): void => {
    void this.desk.player.unlock();
    this.desk.ringer.test();
  };

  #change(changes: Partial<Preferences>): void {
    this.desk.settings.change(changes);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-settings-audio': SettingsAudio;
  }
}
