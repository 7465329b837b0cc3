import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { AudioDevices } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Devices } from '../model/devices.js';
import { base } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { Component } from './component.js';

const LABELS: Record<keyof AudioDevices, MessageKey> = {
  microphone: 'audio.microphone',
  speaker: 'audio.speaker',
  ring: 'audio.ring',
};

/** Chooses the device of one role. */
@customElement('cl-device-select')
export class DeviceSelect extends Component {
  @property({ attribute: false }) devices!: Devices;
  @property() kind: keyof AudioDevices = 'microphone';

  static override styles = [
    base,
    forms,
    css`
      :host {
        display: block;
        min-inline-size: 0;
      }
    `,
  ];

  protected override watched() {
    return [this.devices.state];
  }

  override render(): unknown {
    const { microphones, speakers, chosen, canChooseOutput } = this.devices.state.value;
    const list = this.kind === 'microphone' ? microphones : speakers;
    const current = chosen[this.kind];
    const gone = current !== undefined && !list.some((device) => device.id === current);
    return html`<label class="choice">
      <span>${t(LABELS[this.kind])}</span>
      <select ?disabled=${this.kind !== 'microphone' && !canChooseOutput} @change=${this.#change}>
        <option value="" ?selected=${current === undefined}>${t('audio.systemDefault')}</option>
        ${list.map(
          (device, index) =>
            html`<option value=${device.id} ?selected=${device.id === current}>
              ${device.label || t('audio.unnamed', { count: index + 1 })}
            </option>`,
        )}
        ${gone ? html`<option value=${current} selected>${t('audio.unplugged')}</option>` : null}
      </select>
    </label>`;
  }

  #change(event: Event): void {
    const { value } = event.target as HTMLSelectElement;
    void this.devices.choose(this.kind, value || undefined);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-device-select': DeviceSelect;
  }
}
