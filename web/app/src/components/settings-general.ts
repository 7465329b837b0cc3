import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LANGUAGES, languageName, t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import type { Appearance } from '../model/settings.js';
import { base, buttons } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { settingsStyles } from '../styles/settings.js';
import { Component } from './component.js';
import { icon } from './icons.js';

const APPEARANCES: ReadonlyArray<readonly [Appearance, MessageKey]> = [
  ['system', 'appearance.system'],
  ['light', 'appearance.light'],
  ['dark', 'appearance.dark'],
];

/** Language, appearance, notifications. */
@customElement('cl-settings-general')
export class SettingsGeneral extends Component {
  @property({ attribute: false }) desk!: Desk;

  static override styles = [base, buttons, forms, settingsStyles];

  protected override watched() {
    return [this.desk.settings.state, this.desk.notifier.permission];
  }

  override render(): unknown {
    const { language, appearance } = this.desk.settings.state.value;
    return html`
      <div class="group">
        <label class="choice">
          <span>${t('general.language')}</span>
          <select @change=${(event: Event) => this.desk.settings.change({ language: (event.target as HTMLSelectElement).value || null })}>
            <option value="" ?selected=${language === null}>${t('general.languageAutomatic')}</option>
            ${LANGUAGES.map((code) => html`<option value=${code} lang=${code} ?selected=${code === language}>${languageName(code)}</option>`)}
          </select>
        </label>
        <fieldset>
          <legend>${t('appearance.title')}</legend>
          ${APPEARANCES.map(
            ([value, label]) => html`<label class="option"><input type="radio" name="appearance" value=${value} .checked=${value === appearance} @change=${() => this.desk.settings.change({ appearance: value })} /><span>${t(label)}</span></label>`,
          )}
        </fieldset>
      </div>
      <div class="group">
        <h2>${t('notifications.title')}</h2>
        ${this.#notifications()}
      </div>
    `;
  }

  #notifications(): unknown {
    const { notifications } = this.desk.settings.state.value;
    switch (this.desk.notifier.permission.value) {
      case 'unsupported':
        return html`<p class="hint">${t('notifications.unsupported')}</p>`;
      case 'denied':
        return html`<div class="note">${icon('warning')}<div><b>${t('notifications.denied')}</b><span>${t('notifications.deniedRemedy')}</span></div></div>`;
      case 'default':
        return html`<p class="hint">${t('notifications.why')}</p>
          <button type="button" class="button primary" @click=${() => void this.desk.notifier.askPermission()}>${icon('bell')}<span>${t('notifications.allow')}</span></button>`;
      case 'granted':
        return html`<button type="button" class="switch" role="switch" aria-checked=${notifications} @click=${() => this.desk.settings.change({ notifications: !notifications })}>
          <span><span>${t('notifications.incoming')}</span><small>${t('notifications.why')}</small></span><span class="knob" aria-hidden="true"></span>
        </button>`;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-settings-general': SettingsGeneral;
  }
}
