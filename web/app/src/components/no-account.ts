import { css, html } from 'lit';
import { customElement, query } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import { base, buttons } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { Component } from './component.js';

/** Somebody came without an account in the address: ask for the user name and go there. */
@customElement('cl-no-account')
export class NoAccount extends Component {
  @query('input') private input!: HTMLInputElement;

  static override styles = [
    base,
    buttons,
    forms,
    css`
      :host {
        display: grid;
        place-items: center;
        min-block-size: 100dvh;
        padding: var(--space-4);
      }
      form {
        display: grid;
        gap: var(--space-4);
        inline-size: min(100%, 360px);
      }
      h1 {
        font-size: var(--text-xl);
        font-weight: 650;
      }
      label {
        display: grid;
        gap: 6px;
        font-weight: 550;
        font-size: 0.875rem;
      }
    `,
  ];

  override render(): unknown {
    return html`<form @submit=${this.#go}>
      <h1>${t('signIn.title')}</h1>
      <label>${t('signIn.user')}<input class="input" name="username" autocomplete="username" autocapitalize="off" spellcheck="false" required /></label>
      <button type="submit" class="button primary large">${t('signIn.continue')}</button>
    </form>`;
  }

  readonly #go = (event: SubmitEvent): void => {
    event.preventDefault();
    const user = this.input.value.trim();
    if (user) location.assign(`/u/${encodeURIComponent(user)}/`);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-no-account': NoAccount;
  }
}
