import { css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { amount, t } from '../i18n/i18n.js';
import type { Session, SignInProblem } from '../model/session.js';
import { base, buttons } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';

/** One field and one button. */
@customElement('cl-sign-in')
export class SignIn extends Component {
  @property({ attribute: false }) session!: Session;
  @property() user = '';
  @state() private reveal = false;
  @query('#password') private password!: HTMLInputElement;
  #tick: ReturnType<typeof setTimeout> | undefined;
  #blockedUntil = 0;
  #problem: SignInProblem | null = null;

  static override styles = [
    base,
    buttons,
    forms,
    css`
      :host {
        display: grid;
        place-items: center;
        min-block-size: 100%;
        padding: var(--space-4);
      }
      form {
        display: grid;
        gap: var(--space-4);
        inline-size: min(100%, 360px);
      }
      .brand {
        display: grid;
        gap: var(--space-2);
        justify-items: start;
        color: var(--accent);
      }
      .brand svg {
        inline-size: 100%;
        block-size: 30px;
        stroke-width: 2;
      }
      h1 {
        font-size: var(--text-xl);
        font-weight: 650;
        letter-spacing: -0.01em;
      }
      .who {
        display: flex;
        align-items: center;
        gap: 12px;
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      label {
        display: grid;
        gap: 6px;
        font-weight: 550;
        font-size: 0.875rem;
      }
      .password {
        position: relative;
      }
      .password .input {
        min-block-size: 52px;
        padding-inline-end: 92px;
        font-size: 1rem;
        border-radius: var(--radius-m);
      }
      .password button {
        position: absolute;
        inset-inline-end: 6px;
        inset-block: 4px;
        min-inline-size: var(--target);
        padding: 0 10px;
        border-radius: 10px;
        color: var(--ink-2);
        font-size: 0.8125rem;
        font-weight: 600;
      }
      .password button:hover {
        background: var(--hover);
      }
      .problem {
        display: flex;
        gap: 8px;
        align-items: flex-start;
        color: var(--stop-ink);
        font-size: 0.875rem;
        font-weight: 550;
      }
      .hint {
        color: var(--ink-2);
        font-size: 0.8125rem;
      }
    `,
  ];

  protected override watched() {
    return [this.session.state];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#tick);
  }

  override firstUpdated(): void {
    this.password.focus();
  }

  override render(): unknown {
    const state = this.session.state.value;
    const busy = state.type === 'signing-in';
    const problem = state.type === 'signed-out' ? state.problem : null;
    this.#noteProblem(problem);
    const wait = this.#blockedUntil - Date.now();
    return html`<form @submit=${this.#submit}>
      <div class="brand">
        <svg viewBox="0 0 360 30" preserveAspectRatio="none" aria-hidden="true"><path d="M1 15h120l10-9 12 20 10-22 12 20 9-12 8 6 6-3h172" vector-effect="non-scaling-stroke" /></svg>
      </div>
      <h1>${t('signIn.title')}</h1>
      <div class="who"><cl-avatar name=${this.user}></cl-avatar><span>${this.user}</span></div>
      <input class="visually-hidden" type="text" name="username" autocomplete="username" .value=${this.user} readonly tabindex="-1" aria-hidden="true" />
      <div>
        <label for="password">${t('signIn.password')}</label>
        <div class="password">
          <input
            id="password"
            class="input"
            name="password"
            type=${this.reveal ? 'text' : 'password'}
            autocomplete="current-password"
            required
            aria-invalid=${problem?.type === 'wrong-password' ? 'true' : nothing}
            aria-describedby=${problem ? 'problem' : nothing}
          />
          <button type="button" aria-pressed=${this.reveal} @click=${() => (this.reveal = !this.reveal)}>${t(this.reveal ? 'signIn.hide' : 'signIn.show')}</button>
        </div>
      </div>
      ${problem ? html`<p class="problem" id="problem" role="alert" data-testid="sign-in-problem">${icon('warning')}<span>${this.#text(problem, wait)}</span></p>` : nothing}
      <button type="submit" class="button primary large" ?disabled=${busy || wait > 0}>${busy ? t('signIn.busy') : t('signIn.submit')}</button>
      <p class="hint">${t('signIn.hint')}</p>
      ${problem ? html`<p class="hint">${t('emergency.signedOut')}</p>` : nothing}
    </form>`;
  }

  override updated(): void {
    clearTimeout(this.#tick);
    if (this.#blockedUntil > Date.now()) this.#tick = setTimeout(() => this.requestUpdate(), 1000);
  }

  #noteProblem(problem: SignInProblem | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem?.type === 'too-many-tries') this.#blockedUntil = Date.now() + problem.seconds * 1000;
    if (problem?.type === 'wrong-password') void this.updateComplete.then(() => this.password.select());
  }

  #text(problem: SignInProblem, wait: number): string {
    switch (problem.type) {
      case 'wrong-password':
        return t('signIn.wrongPassword');
      case 'too-many-tries':
        return wait > 0 ? t('signIn.tooManyTries', { time: amount(Math.ceil(wait / 1000), 'second') }) : t('signIn.tryAgainNow');
      case 'no-such-user':
        return t('signIn.noSuchUser', { user: this.user });
      case 'unreachable':
        return t('signIn.unreachable');
      case 'server':
        return t('signIn.server', { detail: problem.detail });
    }
  }

  readonly #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (this.password.value) void this.session.signIn(this.password.value);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-sign-in': SignIn;
  }
}
