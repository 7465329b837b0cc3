import { css } from 'lit';

/** What every component's shadow root needs. */
export const base = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd,
  figure {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  button,
  input,
  select {
    font: inherit;
    color: inherit;
    letter-spacing: inherit;
  }
  button {
    margin: 0;
    border: 0;
    background: none;
    padding: 0;
    text-align: inherit;
    cursor: pointer;
    touch-action: manipulation;
    -webkit-tap-highlight-color: transparent;
    user-select: none;
    -webkit-user-select: none;
  }
  button:disabled {
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  svg {
    inline-size: 20px;
    block-size: 20px;
    flex: none;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.8;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .tabular {
    font-variant-numeric: tabular-nums;
  }
  .truncate {
    min-inline-size: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;

/** Buttons: one shape, a colour per meaning. */
export const buttons = css`
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: var(--space-2);
    min-block-size: var(--target);
    padding: 6px 12px;
    border: 1px solid transparent;
    border-radius: var(--radius-m);
    font-weight: 600;
    text-align: center;
    line-height: 1.15;
    overflow-wrap: break-word;
    transition:
      filter var(--quick),
      background-color var(--quick);
  }
  .button.large {
    min-block-size: 52px;
    font-size: 1rem;
  }
  .button.go {
    background: var(--go);
    color: var(--on-go);
  }
  .button.stop {
    background: var(--stop);
    color: var(--on-stop);
  }
  .button.primary {
    background: var(--accent);
    color: var(--on-accent);
  }
  .button.soft {
    background: var(--hover);
    border-color: var(--hair);
  }
  .button:is(.go, .stop, .primary):hover {
    filter: brightness(1.08);
  }
  .button:is(.go, .stop, .primary):active {
    filter: brightness(0.92);
  }
  .button.soft:hover {
    background: var(--press);
  }
  .button:disabled {
    opacity: 0.5;
    filter: none;
  }
  .icon-button {
    display: inline-grid;
    place-items: center;
    inline-size: var(--target);
    block-size: var(--target);
    border-radius: var(--radius-m);
    color: var(--ink-2);
    flex: none;
  }
  .icon-button:hover {
    background: var(--hover);
    color: var(--ink);
  }
  .icon-button:active {
    background: var(--press);
  }
  .icon-button[aria-pressed='true'] {
    color: var(--warn);
  }
  .link {
    color: var(--accent);
    font-weight: 600;
    text-decoration: underline;
    text-underline-offset: 3px;
  }
  @media (forced-colors: active) {
    .button,
    .icon-button {
      border: 1px solid ButtonBorder;
    }
  }
`;

/** Lists of people and calls. */
export const rows = css`
  .heading {
    margin: var(--space-4) var(--space-1) var(--space-1);
    font-size: var(--text-s);
    font-weight: 600;
    letter-spacing: 0.01em;
    color: var(--ink-2);
  }
  .row {
    display: flex;
    align-items: stretch;
    border-block-end: 1px solid var(--hair);
  }
  .row:last-child {
    border-block-end-color: transparent;
  }
  .row > .main {
    display: flex;
    flex: 1;
    align-items: center;
    gap: var(--space-3);
    min-inline-size: 0;
    min-block-size: 60px;
    padding: 8px var(--space-1);
    border-radius: var(--radius-s);
  }
  .row > .main:hover {
    background: var(--hover);
  }
  .row > .main:active {
    background: var(--press);
  }
  .row > .icon-button {
    align-self: center;
  }
  .row .text {
    flex: 1;
    min-inline-size: 0;
    display: grid;
  }
  .row .name {
    font-weight: 550;
  }
  .row .detail {
    display: flex;
    align-items: center;
    gap: 5px;
    color: var(--ink-2);
    font-size: var(--text-s);
    min-inline-size: 0;
  }
  .row .direction {
    display: inline-flex;
  }
  .row .detail svg {
    inline-size: 13px;
    block-size: 13px;
  }
  .row .aside {
    flex: none;
    color: var(--ink-3);
    font-size: var(--text-s);
    font-variant-numeric: tabular-nums;
  }
`;
