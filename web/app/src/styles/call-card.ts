import { css } from 'lit';

/** The live call's card. */
export const callCard = css`
  .status-row {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: var(--space-2);
    min-block-size: 28px;
  }
  .status {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    column-gap: var(--space-2);
    color: var(--ink-2);
    font-size: var(--text-m);
    min-inline-size: 0;
  }
  .status.trouble span {
    color: var(--warn);
    font-weight: 600;
  }
  .muted-mark {
    display: inline-flex;
    align-items: center;
    gap: 3px;
    color: var(--stop-ink);
  }
  .muted-mark svg {
    inline-size: 14px;
    block-size: 14px;
  }
  .quality {
    display: inline-flex;
    align-items: center;
    gap: 7px;
    min-block-size: 32px;
    padding: 0 10px;
    margin-inline-end: -6px;
    border-radius: var(--radius-s);
    font-size: 0.8125rem;
    font-weight: 600;
  }
  .quality:hover {
    background: var(--hover);
  }
  .quality.good {
    color: var(--go-ink);
  }
  .quality.fair {
    color: var(--warn);
  }
  .quality.poor {
    color: var(--stop-ink);
  }
  .bars {
    display: flex;
    align-items: flex-end;
    gap: 2px;
    block-size: 12px;
  }
  .bars i {
    inline-size: 3px;
    border-radius: 1px;
    background: currentColor;
  }
  .bars i:nth-child(1) {
    block-size: 5px;
  }
  .bars i:nth-child(2) {
    block-size: 8px;
  }
  .bars i:nth-child(3) {
    block-size: 12px;
  }
  .fair .bars i:nth-child(3),
  .poor .bars i:nth-child(n + 2) {
    opacity: 0.3;
  }
  .numbers {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(88px, 1fr));
    gap: var(--space-2);
    padding: 10px 12px;
    border-radius: var(--radius-m);
    background: var(--bg);
  }
  .numbers dt {
    color: var(--ink-2);
    font-size: var(--text-xs);
  }
  .numbers dd {
    font-size: 0.8125rem;
    font-weight: 550;
  }
  .controls {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(max(72px, 30%), 1fr));
    gap: var(--space-2);
  }
  .bottom {
    display: grid;
    gap: var(--space-3);
  }
  .control {
    display: grid;
    justify-items: center;
    align-content: center;
    gap: 5px;
    min-block-size: 60px;
    padding: 8px 2px;
    border: 1px solid transparent;
    border-radius: var(--radius-m);
    background: var(--bg);
    color: var(--ink-2);
    font-size: 0.71875rem;
    font-weight: 500;
    text-align: center;
    transition: background-color var(--quick);
  }
  .control span {
    max-inline-size: 100%;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .control:hover {
    background: linear-gradient(var(--hover), var(--hover)), var(--bg);
    color: var(--ink);
  }
  .control svg {
    inline-size: 22px;
    block-size: 22px;
  }
  .control.on,
  .round.on {
    background: var(--ink);
    color: var(--bg);
  }
  .control:disabled,
  .round:disabled {
    opacity: 0.5;
  }
  .tones {
    display: grid;
    gap: var(--space-2);
    --key-height: 46px;
    --keypad-gap: 6px;
  }
  .tones cl-keypad {
    --surface: var(--bg);
  }
  .sent {
    min-block-size: 26px;
    text-align: center;
    font-size: 1.125rem;
    letter-spacing: 0.06em;
    overflow: hidden;
    white-space: nowrap;
    /* The latest digits matter: overflow goes to the left. */
    direction: rtl;
  }
  .sent.empty {
    direction: inherit;
    white-space: normal;
    font-size: var(--text-s);
    letter-spacing: 0;
    color: var(--ink-2);
  }
  .audio {
    display: grid;
    gap: var(--space-3);
    padding: 12px;
    border-radius: var(--radius-m);
    background: var(--bg);
  }
  .short {
    display: flex;
    gap: 6px;
    flex: none;
  }
  .round {
    display: grid;
    place-items: center;
    inline-size: var(--target);
    block-size: var(--target);
    border-radius: 50%;
    background: var(--bg);
    color: var(--ink-2);
  }
  .round.stop {
    background: var(--stop);
    color: var(--on-stop);
  }
  .held {
    box-shadow: none;
    border: 1px dashed var(--edge);
    background: var(--surface);
    padding: 12px 14px;
  }
  .compact {
    padding: 8px 12px;
    gap: var(--space-2);
    border-radius: var(--radius-m);
  }
  .held .who,
  .compact .who {
    gap: 10px;
  }
  .held h2,
  .compact h2 {
    display: block;
    font-size: 0.96875rem;
    white-space: nowrap;
    text-overflow: ellipsis;
  }
  .held .status,
  .compact .status {
    font-size: var(--text-s);
  }
  .held cl-avatar {
    opacity: 0.7;
  }
  .held .names {
    opacity: 0.86;
  }
  .chosen {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  /* The picker needs the room: what a call cannot do without stays beside End. */
  .add-open,
  .transfer-open {
    grid-template-columns: auto minmax(0, 1fr);
    gap: var(--space-2);
  }
  :is(.add-open, .transfer-open) .controls {
    grid-template-columns: repeat(2, 56px);
  }
  .add-open .control:not(.mute, .add),
  .transfer-open .control:not(.mute, .transfer) {
    display: none;
  }
  :is(.add-open, .transfer-open) .control {
    min-block-size: 52px;
  }
  :is(.add-open, .transfer-open) .control span {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
  }
  .question .two {
    margin-block-start: var(--space-2);
  }
  .note .code {
    color: var(--ink-2);
    font-size: var(--text-xs);
  }
  .link {
    justify-self: start;
    min-block-size: 28px;
  }
  @media (max-width: 400px) {
    .compact cl-avatar {
      display: none;
    }
  }
  @media (max-height: 560px) {
    .card {
      padding: 12px;
      gap: var(--space-2);
    }
    .keypad-open {
      grid-template-columns: auto minmax(0, 1fr);
      gap: var(--space-2);
    }
    .keypad-open .control:not(.mute, .keypad) {
      display: none;
    }
    .keypad-open .controls {
      grid-template-columns: repeat(2, 52px);
    }
    .keypad-open .control span {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    .control {
      min-block-size: 48px;
      gap: 2px;
      padding: 4px 2px;
    }
    .tones {
      --key-height: 44px;
      --keypad-gap: 4px;
      --empty-letters: none;
    }
  }
  @media (forced-colors: active) {
    .control,
    .round {
      border: 1px solid ButtonBorder;
    }
    .control.on,
    .round.on {
      background: Highlight;
      color: HighlightText;
      forced-color-adjust: none;
    }
  }
`;
