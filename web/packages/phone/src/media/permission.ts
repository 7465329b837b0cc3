/** The microphone permission, known without asking: a call whose permission is settled need not wait for the device. */

import { permissions } from '../browser.js';

let status: PermissionStatus | null = null;
let asked = false;
const granted = new EventTarget();

/** Begins to follow the permission. Harmless to repeat. */
export function followMicrophonePermission(): void {
  if (asked) return;
  asked = true;
  permissions()?.query({ name: 'microphone' }).then(
    (followed) => {
      status = followed;
      followed.onchange = () => {
        if (followed.state === 'granted') granted.dispatchEvent(new Event('granted'));
      };
    },
    // A browser that does not tell: every call waits for the device, as if the user had to be asked.
    () => undefined,
  );
}

/** Whether the user, or a policy, has decided; if so, opening the microphone takes no more than moments. */
export function microphoneDecided(): boolean {
  return status !== null && status.state !== 'prompt';
}

/** Calls back whenever the permission is granted later; returns how to end that. */
export function onMicrophoneGranted(listener: () => void): () => void {
  granted.addEventListener('granted', listener);
  return () => granted.removeEventListener('granted', listener);
}
