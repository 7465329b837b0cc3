import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Announcer } from '../model/announcer.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';

/** Speaks announcements: two regions that are always there, as screen readers need them. */
@customElement('cl-live-region')
export class LiveRegion extends Component {
  @property({ attribute: false }) announcer!: Announcer;

  static override styles = [
    base,
    css`
      :host {
        position: absolute;
      }
    `,
  ];

  protected override watched() {
    return [this.announcer.state];
  }

  override render(): unknown {
    const said = this.announcer.state.value;
    // An unbreakable space at every second time: the same text again is news too.
    const text = said ? said.text + (said.serial % 2 === 0 ? '\u00a0' : '') : '';
    return html`
      <div class="visually-hidden" role="status" aria-live="polite">${said?.urgent ? '' : text}</div>
      <div class="visually-hidden" role="alert" aria-live="assertive">${said?.urgent ? text : ''}</div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-live-region': LiveRegion;
  }
}
