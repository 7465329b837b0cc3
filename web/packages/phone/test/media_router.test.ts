import { expect, test } from 'vitest';
import type { MediaAction } from '../src/api.js';
import { MediaRouter } from '../src/host/media_router.js';
import type { Windows } from '../src/host/windows.js';
import type { MediaResult } from '../src/protocol.js';

const OFFER: MediaAction = { type: 'create-offer', direction: 'sendrecv', ice_restart: false };
const MIX: MediaAction = { type: 'set-conference', conference: 1 };
const DONE: MediaResult = { ok: { type: 'done' } };

/** Two calls in a conference that the window `old` carries; what the core has been answered. */
function conference(): { media: MediaRouter; windows: { lead: string | null }; answers: Array<[string, MediaResult]> } {
  const answers: Array<[string, MediaResult]> = [];
  const windows = { lead: 'old' as string | null, send: () => undefined };
  const media = new MediaRouter(windows as unknown as Windows, (request, result) => answers.push([request, result]));
  for (const call of ['a', 'b']) {
    media.request(`offer ${call}`, call, `session ${call}`, OFFER);
    media.done('old', `offer ${call}`, DONE);
    media.request(`mix ${call}`, call, `session ${call}`, MIX);
    media.done('old', `mix ${call}`, DONE);
  }
  return { media, windows, answers };
}

test('a conference goes on in another window when its own is gone', () => {
  const { media, windows, answers } = conference();
  windows.lead = null;
  media.windowGone('old');
  expect(media.isMixed('a')).toBe(false);
  windows.lead = 'new';
  media.adopt('new');
  for (const call of ['a', 'b']) {
    media.request(`again ${call}`, call, `second session ${call}`, OFFER);
    media.done('new', `again ${call}`, DONE);
    media.request(`mix again ${call}`, call, `second session ${call}`, MIX);
    media.done('new', `mix again ${call}`, DONE);
  }
  const mixed = answers.filter(([request]) => request.startsWith('mix again'));
  expect(mixed).toEqual([
    ['mix again a', DONE],
    ['mix again b', DONE],
  ]);
});

test('calls of one conference are not mixed in two windows', () => {
  const { media, windows, answers } = conference();
  windows.lead = 'new';
  media.request('offer c', 'c', 'session c', OFFER);
  media.request('mix c', 'c', 'session c', MIX);
  expect(answers.at(-1)?.[1]).toHaveProperty('error');
  expect(media.isMixed('c')).toBe(false);
});

test('a call that takes the place of another is carried where that one is', () => {
  const { media, windows } = conference();
  windows.lead = 'new';
  media.follow('room', 'a');
  expect(media.carrier('room')).toBe('old');
  media.follow('elsewhere', null);
  expect(media.carrier('elsewhere')).toBe(null);
});
