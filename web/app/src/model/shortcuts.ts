import type { ActionId } from './actions.js';
import type { View } from './route.js';

export interface KeyPress {
  readonly key: string;
  /** Ctrl, Alt or Meta is down: the browser's or the system's business. */
  readonly modified: boolean;
  readonly repeat: boolean;
}

export interface KeyContext {
  /** A text field has the focus. */
  readonly typing: boolean;
  /** The Tab key brought the focus to a button or link: Enter is its own. */
  readonly onControl: boolean;
  readonly view: View;
  /** Milliseconds since the oldest incoming card appeared. */
  readonly incomingAge: number | null;
  readonly otherCall: boolean;
  /** Digits have somewhere to go in a call. */
  readonly takesTones: boolean;
  /** Something is open in the card of the call in the foreground. */
  readonly panelOpen: 'keypad' | 'add' | 'transfer' | null;
  /** The keyboard has chosen a call among several. */
  readonly line: 'none' | 'talking' | 'held';
  readonly shortcutsOpen: boolean;
  readonly dialText: string;
}

export type KeyCommand =
  | { readonly type: 'action'; readonly action: ActionId }
  | { readonly type: 'tone'; readonly tone: string }
  | { readonly type: 'dial'; readonly text: string }
  | { readonly type: 'backspace' }
  | { readonly type: 'clear' }
  | { readonly type: 'line'; readonly step: 1 | -1 }
  | { readonly type: 'no-line' }
  | { readonly type: 'call' };

/** A card must have been seen before a key may act on it. */
export const CARD_AGE_MS = 500;

const LETTERS: Readonly<Record<string, ActionId>> = {
  a: 'add',
  b: 'callBack',
  c: 'merge',
  d: 'push',
  e: 'end',
  h: 'hold',
  k: 'keypad',
  l: 'nextLine',
  m: 'mute',
  p: 'pull',
  r: 'redial',
  s: 'swap',
  t: 'transfer',
  x: 'cancelTransfer',
  '/': 'search',
  '?': 'shortcuts',
};

/** What a key means now; `null` leaves it to the browser. */
export function resolveKey(press: KeyPress, context: KeyContext): KeyCommand | null {
  if (press.modified || press.repeat || context.typing) return null;
  if (press.key === 'Enter') return enter(context);
  if (press.key === 'Escape') return escape(context);
  if (context.shortcutsOpen && press.key !== '?') return null;
  const action = LETTERS[press.key.toLowerCase()];
  if (action) return { type: 'action', action };
  if (context.line !== 'none' && (press.key === 'ArrowDown' || press.key === 'ArrowUp')) {
    return { type: 'line', step: press.key === 'ArrowDown' ? 1 : -1 };
  }
  if (/^[\d*#]$/.test(press.key) && context.takesTones) return { type: 'tone', tone: press.key };
  if (context.view !== 'phone') return null;
  if (/^[\d*#+]$/.test(press.key)) return { type: 'dial', text: press.key };
  // A pause belongs behind a number only.
  if (/^[,;]$/.test(press.key) && /^[\d*#+]/.test(context.dialText)) return { type: 'dial', text: press.key };
  if (press.key === 'Backspace' && context.dialText) return { type: 'backspace' };
  return null;
}

function enter(context: KeyContext): KeyCommand | null {
  if (context.onControl || context.shortcutsOpen) return null;
  if (context.incomingAge !== null) {
    if (context.incomingAge < CARD_AGE_MS) return null;
    return { type: 'action', action: context.otherCall ? 'holdAndAnswer' : 'answer' };
  }
  if (context.line === 'held') return { type: 'action', action: 'hold' };
  return context.view === 'phone' && context.dialText ? { type: 'call' } : null;
}

/** Closes what is open, then declines. It never ends a call that is up. */
function escape(context: KeyContext): KeyCommand | null {
  if (context.shortcutsOpen) return { type: 'action', action: 'shortcuts' };
  if (context.incomingAge !== null) {
    return context.incomingAge < CARD_AGE_MS ? null : { type: 'action', action: 'decline' };
  }
  if (context.line !== 'none') return { type: 'no-line' };
  if (context.panelOpen) return { type: 'action', action: context.panelOpen };
  return context.view === 'phone' && context.dialText ? { type: 'clear' } : null;
}
