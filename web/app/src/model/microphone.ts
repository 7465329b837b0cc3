import type { MicrophoneProblem } from '@clearline/phone';
import type { MessageKey } from '../i18n/i18n.js';

/** What happened, and what to do about it. */
export interface MicrophoneText {
  readonly what: MessageKey;
  readonly remedy: MessageKey;
}

export function microphoneText(problem: MicrophoneProblem): MicrophoneText {
  switch (problem) {
    case 'permission-denied':
      return { what: 'microphone.denied', remedy: 'microphone.deniedRemedy' };
    case 'no-device':
      return { what: 'microphone.missing', remedy: 'microphone.missingRemedy' };
    case 'device-failed':
      return { what: 'microphone.failed', remedy: 'microphone.failedRemedy' };
    case 'unavailable':
      return { what: 'microphone.unavailable', remedy: 'microphone.unavailableRemedy' };
    case 'description-rejected':
    case 'failed':
      return { what: 'microphone.audio', remedy: 'microphone.audioRemedy' };
  }
}
