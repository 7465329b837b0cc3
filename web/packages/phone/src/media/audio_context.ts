/** The one audio context of this window, open while anybody has a use for it: each keeps a thread of its own awake. */

let context: AudioContext | null = null;
let users = 0;

/** The context, or `null` where none is to be had. Each use ends with `releaseContext`. */
export function useContext(): AudioContext | null {
  if (typeof AudioContext === 'undefined') return null;
  users += 1;
  // A few milliseconds more of delay are worth an audio graph that does not stutter on a busy machine.
  context ??= new AudioContext({ latencyHint: 'balanced' });
  // Before the first click or key it may only wait; a window that captures a microphone may always play.
  if (context.state === 'suspended') void context.resume().catch(() => undefined);
  return context;
}

/** The end of one use. */
export function releaseContext(): void {
  users -= 1;
  if (users > 0) return;
  void context?.close().catch(() => undefined);
  context = null;
}
