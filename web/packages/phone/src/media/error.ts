import type { MicrophoneProblem } from '../api.js';

/** What a media action rejects with. */
export class MediaFailure extends Error {
  constructor(
    readonly kind: MicrophoneProblem,
    readonly detail: string,
  ) {
    super(`${kind}: ${detail}`);
  }
}

export function mediaFailure(kind: MicrophoneProblem, cause: unknown): MediaFailure {
  return new MediaFailure(kind, cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
}

/** Why `getUserMedia` failed, by the name of its exception (Media Capture and Streams, section 10.2). */
export function microphoneProblem(error: unknown): MicrophoneProblem {
  switch ((error as { name?: string } | null)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'permission-denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-device';
    case 'NotReadableError':
    case 'AbortError':
      return 'device-failed';
    default:
      return 'failed';
  }
}
