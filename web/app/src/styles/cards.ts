import { css } from 'lit';

/** The cards of calls: incoming, live, held, ended. */
export const cards = css`
  :host {
    display: block;
  }
  .card {
    display: flex;
    flex-direction: column;
    gap: var(--space-3);
    padding: var(--space-4);
    border-radius: var(--radius-l);
    background: var(--raised);
    box-shadow: var(--shadow);
  }
  .card:focus {
    outline: none;
  }
  .card:focus-visible {
    outline: 2px solid var(--accent);
  }
  .who {
    display: flex;
    align-items: center;
    gap: 14px;
    min-inline-size: 0;
  }
  .who .names {
    flex: 1;
    min-inline-size: 0;
    display: grid;
    gap: 1px;
  }
  .who h2 {
    font-size: var(--text-l);
    font-weight: 620;
    line-height: 1.2;
    overflow: hidden;
    overflow-wrap: anywhere;
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
  }
  .who .sub {
    color: var(--ink-2);
    font-size: 0.8125rem;
  }
  .two {
    display: grid;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    gap: 10px;
  }
  .two .button {
    padding-inline: 6px;
    gap: 6px;
    font-size: 0.9375rem;
  }
  @media (max-width: 345px) {
    .two .button svg {
      display: none;
    }
  }
  .note {
    display: flex;
    gap: 10px;
    align-items: flex-start;
    padding: 10px 12px;
    border-radius: var(--radius-m);
    background: var(--warn-soft);
    font-size: 0.8125rem;
    color: var(--ink);
  }
  .note svg {
    color: var(--warn);
    margin-block-start: 1px;
  }
  .note > div {
    display: grid;
    flex: 1;
    gap: 2px;
    min-inline-size: 0;
    overflow-wrap: anywhere;
  }
  .note b {
    font-weight: 600;
  }
  @media (forced-colors: active) {
    .card,
    .note {
      border: 1px solid CanvasText;
    }
  }
`;
