import { css } from 'lit';

/** Groups of settings. */
export const settingsStyles = css`
  :host {
    display: grid;
    gap: var(--space-3);
  }
  .group {
    display: grid;
    gap: var(--space-3);
    padding: var(--space-4);
    border: 1px solid var(--hair);
    border-radius: var(--radius-m);
    background: var(--surface);
  }
  .group h2 {
    font-size: var(--text-m);
    font-weight: 600;
  }
  .group .switch + .switch {
    border-block-start: 1px solid var(--hair);
  }
  .hint {
    color: var(--ink-2);
    font-size: 0.8125rem;
  }
  .pair {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
    gap: var(--space-2);
  }
  .pair .button {
    padding-inline: 8px;
    font-size: 0.875rem;
  }
  .note {
    display: flex;
    gap: 10px;
    padding: 10px 12px;
    border-radius: var(--radius-m);
    background: var(--warn-soft);
    font-size: 0.8125rem;
  }
  .note svg {
    color: var(--warn);
  }
  .note div {
    display: grid;
    gap: 4px;
    justify-items: start;
  }
  fieldset {
    margin: 0;
    padding: 0;
    border: 0;
    display: grid;
    grid-template-columns: repeat(3, minmax(0, 1fr));
    gap: 6px;
  }
  legend {
    padding: 0;
    margin-block-end: var(--space-1);
    font-size: var(--text-s);
    color: var(--ink-2);
  }
  .option {
    position: relative;
    display: grid;
    place-items: center;
    min-block-size: var(--target);
    padding: 0 6px;
    border: 1px solid var(--edge);
    border-radius: 12px;
    font-weight: 550;
    font-size: 0.84375rem;
    text-align: center;
    cursor: pointer;
  }
  .option input {
    position: absolute;
    opacity: 0;
    inset: 0;
    inline-size: 100%;
    block-size: 100%;
    margin: 0;
    cursor: pointer;
  }
  .option:has(:checked) {
    border-color: var(--accent);
    box-shadow: inset 0 0 0 1px var(--accent);
    background: var(--accent-soft);
  }
  .option:has(:focus-visible) {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  @media (forced-colors: active) {
    .option:has(:checked) {
      outline: 2px solid Highlight;
    }
  }
`;
