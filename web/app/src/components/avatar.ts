import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';

const HUES = 6;

/** Initials on a colour that stays the same for a name. Decorative: the name stands beside it. */
@customElement('cl-avatar')
export class Avatar extends Component {
  @property() name = '';
  @property({ reflect: true }) size: 's' | 'm' | 'l' = 'm';
  /** A dot in the corner; text beside it says the same. */
  @property() dot: '' | 'available' | 'busy' | 'away' | 'offline' = '';

  static override styles = [
    base,
    css`
      :host {
        position: relative;
        display: grid;
        place-items: center;
        flex: none;
        inline-size: 40px;
        block-size: 40px;
        font-size: 14px;
        font-weight: 600;
      }
      :host([size='s']) {
        inline-size: 36px;
        block-size: 36px;
        font-size: 13px;
      }
      :host([size='l']) {
        inline-size: 56px;
        block-size: 56px;
        font-size: 19px;
      }
      .face {
        inline-size: 100%;
        block-size: 100%;
        border-radius: 50%;
        display: grid;
        place-items: center;
        letter-spacing: 0.02em;
      }
      .h0 {
        background: light-dark(#dfe7fb, #22305a);
        color: light-dark(#2b4fa8, #a9c0ff);
      }
      .h1 {
        background: light-dark(#f6e2d6, #4a2f1c);
        color: light-dark(#8a4918, #f3bd91);
      }
      .h2 {
        background: light-dark(#e7dff5, #372656);
        color: light-dark(#633a9f, #cdb3ff);
      }
      .h3 {
        background: light-dark(#d9efe3, #143d2b);
        color: light-dark(#13613d, #86dcb2);
      }
      .h4 {
        background: light-dark(#f8dde3, #4a1f2b);
        color: light-dark(#9c2745, #ffa9bb);
      }
      .h5 {
        background: light-dark(#d6edf2, #123b45);
        color: light-dark(#0d5a6b, #8ad7e8);
      }
      .dot {
        position: absolute;
        inset-inline-end: -1px;
        inset-block-end: -1px;
        inline-size: 12px;
        block-size: 12px;
        border-radius: 50%;
        border: 2px solid var(--bg);
        background: var(--ink-3);
      }
      .available {
        background: var(--go);
      }
      .busy,
      .away {
        background: var(--warn);
      }
      @media (forced-colors: active) {
        .face {
          border: 1px solid CanvasText;
        }
      }
    `,
  ];

  override render(): unknown {
    return html`<span class="face h${hueOf(this.name)}" aria-hidden="true">${initials(this.name)}</span>
      ${this.dot ? html`<span class="dot ${this.dot}"></span>` : null}`;
  }
}

/** First letters of the first and last word; for a number a sign. */
export function initials(name: string): string {
  const words = name.split(/[\s._@-]+/).filter((word) => /^\p{L}/u.test(word));
  const first = words[0];
  if (!first) return '#';
  const last = words.length > 1 ? words.at(-1) : undefined;
  return (Array.from(first)[0] ?? '').toLocaleUpperCase() + (last ? (Array.from(last)[0] ?? '').toLocaleUpperCase() : '');
}

function hueOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const c of name) hash = Math.imul(hash ^ (c.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return (hash >>> 8) % HUES;
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-avatar': Avatar;
  }
}
