import { css } from 'lit';

/** Fields, selects and switches. */
export const forms = css`
  .choice {
    display: grid;
    gap: var(--space-1);
    font-size: var(--text-s);
    color: var(--ink-2);
  }
  select,
  .input {
    inline-size: 100%;
    min-block-size: var(--target);
    padding: 0 var(--space-3);
    border: 1px solid var(--edge);
    border-radius: 12px;
    background-color: var(--surface);
    color: var(--ink);
    font-size: var(--text-m);
  }
  select {
    appearance: none;
    padding-inline-end: 34px;
    text-overflow: ellipsis;
    background-image:
      linear-gradient(45deg, transparent 50%, var(--ink-2) 50%), linear-gradient(-45deg, transparent 50%, var(--ink-2) 50%);
    background-size: 6px 6px;
    background-repeat: no-repeat;
    background-position:
      right 20px center,
      right 14px center;
  }
  option {
    background: var(--surface);
    color: var(--ink);
  }
  select:disabled {
    opacity: 0.6;
  }
  .input:focus-visible,
  select:focus-visible {
    outline-offset: 0;
  }
  .switch {
    display: flex;
    align-items: center;
    gap: var(--space-4);
    min-block-size: 52px;
    inline-size: 100%;
    padding: var(--space-2) 0;
    text-align: start;
  }
  .switch > span:first-child {
    flex: 1;
    min-inline-size: 0;
    display: grid;
  }
  .switch small {
    color: var(--ink-2);
    font-size: var(--text-s);
  }
  .switch .knob {
    flex: none;
    inline-size: 42px;
    block-size: 24px;
    border-radius: 12px;
    border: 2px solid var(--edge);
    background: transparent;
    position: relative;
    transition: background-color var(--quick);
  }
  .switch .knob::after {
    content: '';
    position: absolute;
    inset-block-start: 3px;
    inset-inline-start: 3px;
    inline-size: 14px;
    block-size: 14px;
    border-radius: 50%;
    background: var(--edge);
    transition: inset-inline-start var(--quick);
  }
  .switch[aria-checked='true'] .knob {
    background: var(--accent);
    border-color: var(--accent);
  }
  .switch[aria-checked='true'] .knob::after {
    inset-inline-start: 21px;
    background: var(--on-accent);
  }
  @media (forced-colors: active) {
    .switch .knob::after {
      background: ButtonText;
    }
    .switch[aria-checked='true'] .knob {
      background: Highlight;
      forced-color-adjust: none;
    }
    select {
      appearance: auto;
    }
  }
`;
