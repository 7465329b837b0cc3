import { browser } from './browser.js';
import { Store, type Readable } from './store.js';

/**
 * A right that one window of the account has at a time, by a Web Lock: two windows must not ring in chorus. The
 * browser hands it on when the window closes. Asked for only once `ready` (a window that may not make a sound yet
 * must not silence one that may).
 */
export function windowRight(name: string, ready: Readable<boolean>): Readable<boolean> {
  const held = new Store(false);
  let asked = false;
  const ask = (): void => {
    if (asked || !ready.value) return;
    asked = true;
    const { locks } = browser();
    if (!locks) {
      held.set(true);
      return;
    }
    void locks.request(name, () => {
      held.set(true);
      return new Promise<never>(() => undefined); // Held until the window goes.
    });
  };
  ready.subscribe(ask);
  ask();
  return held;
}
