import { perform } from '../model/actions.js';
import type { Desk } from '../model/desk.js';
import { resolveKey, type KeyCommand, type KeyContext } from '../model/shortcuts.js';

/** Brings the window's keys to the commands they mean. */
export class KeyboardControl {
  readonly #cardsSince = new Map<string, number>();
  readonly #release: () => void;
  /** The focus was put where it is by the Tab key: whoever did that means the control with Enter. */
  #tabbed = false;

  constructor(private readonly desk: Desk) {
    addEventListener('keydown', this.#key);
    addEventListener('pointerdown', this.#pointer, { capture: true, passive: true });
    this.#release = desk.calls.state.subscribe(() => this.#noteCards());
    this.#noteCards();
  }

  dispose(): void {
    removeEventListener('keydown', this.#key);
    removeEventListener('pointerdown', this.#pointer, { capture: true });
    this.#release();
  }

  readonly #pointer = (): void => {
    this.#tabbed = false;
    this.desk.forgetLine();
  };

  readonly #key = (event: KeyboardEvent): void => {
    if (event.key === 'Tab' || event.key.startsWith('Arrow')) this.#tabbed = true;
    if (event.defaultPrevented) return;
    const press = { key: event.key, modified: event.ctrlKey || event.altKey || event.metaKey, repeat: event.repeat };
    const command = resolveKey(press, this.#context(event));
    if (!command) return;
    if (this.#run(command)) event.preventDefault();
  };

  #run(command: KeyCommand): boolean {
    const { desk } = this;
    switch (command.type) {
      case 'action':
        return perform(desk, command.action, 'key');
      case 'tone': {
        const call = desk.calls.foreground;
        if (call) desk.sendTone(call.id, command.tone);
        return call !== undefined;
      }
      case 'dial':
        desk.dialKey(command.text);
        desk.focusField();
        return true;
      case 'backspace':
        desk.dial.backspace();
        return true;
      case 'clear':
        desk.dial.clear();
        return true;
      case 'call':
        desk.callChosen();
        return true;
      case 'line':
        desk.chooseLine(command.step);
        return true;
      case 'no-line':
        desk.forgetLine();
        return true;
    }
  }

  #context(event: KeyboardEvent): KeyContext {
    const target = event.composedPath()[0];
    const { incoming, current } = this.desk.calls.state.value;
    const { view, line, shortcutsOpen } = this.desk.state.value;
    const oldest = incoming[0];
    const foreground = this.desk.calls.foreground;
    const chosen = current.find((call) => call.id === line);
    return {
      typing: isTextField(target),
      onControl: this.#tabbed && target instanceof HTMLElement && target.matches('button, a, select, input'),
      view,
      incomingAge: oldest ? Date.now() - (this.#cardsSince.get(oldest.id) ?? Date.now()) : null,
      otherCall: current.length > 0,
      takesTones: foreground !== undefined && (foreground.state === 'active' || foreground.earlyMedia) && !foreground.localHold,
      panelOpen: foreground ? this.desk.panelOf(foreground.id) : null,
      line: chosen === undefined ? 'none' : chosen.localHold ? 'held' : 'talking',
      shortcutsOpen,
      dialText: this.desk.dial.state.value.text,
    };
  }

  /** The age of a card counts from when this window showed it. */
  #noteCards(): void {
    const live = new Set(this.desk.calls.state.value.incoming.map((call) => call.id));
    for (const id of this.#cardsSince.keys()) if (!live.has(id)) this.#cardsSince.delete(id);
    for (const id of live) if (!this.#cardsSince.has(id)) this.#cardsSince.set(id, Date.now());
  }
}

function isTextField(target: EventTarget | undefined): boolean {
  if (target instanceof HTMLInputElement) return !['radio', 'checkbox', 'button'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLElement && target.isContentEditable);
}
