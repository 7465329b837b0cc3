// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MediaAction, MediaEngineContext, MediaEvent, MediaSession } from '../src/api.js';
import { browserMedia } from '../src/media/session.js';
import { FakeConnection, description } from './fake_connection.js';

const OFFER: MediaAction = { type: 'create-offer', direction: 'sendrecv', ice_restart: false };
const RESTART: MediaAction = { ...OFFER, ice_restart: true };
const answer = (who: string): MediaAction => ({ type: 'apply-answer', answer: description(who), provisional: false });
const offerOf = (who: string): MediaAction => ({ type: 'create-answer', offer: description(who), direction: 'sendrecv' });

let session: MediaSession;
let events: MediaEvent[];
const made = (): FakeConnection[] => FakeConnection.all;
const open = (): number[] => made().flatMap(({ connectionState }, at) => (connectionState === 'closed' ? [] : [at + 1]));
const states = (): string[] => events.flatMap((event) => (event.type === 'transport' ? [event.state] : []));

beforeEach(() => {
  vi.useFakeTimers();
  FakeConnection.all = [];
  events = [];
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [] }) });
  const context: MediaEngineContext = {
    iceServers: [],
    iceTransportPolicy: 'all',
    devices: {},
    holdMusic: 'none',
    emit: (event) => events.push(event),
    log: () => undefined,
  };
  session = browserMedia(context);
});

afterEach(async () => {
  await session.perform({ type: 'close' });
  expect(open()).toEqual([]);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

async function inCall(): Promise<void> {
  await session.perform(OFFER);
  await session.perform(answer('them'));
  made()[0]?.becomes('connecting');
  made()[0]?.becomes('connected');
}

describe('a renewed way of the audio', () => {
  test('is a fresh peer connection; the one before goes when it is connected, and nobody sees the change', async () => {
    await inCall();
    const offered = await session.perform(RESTART);
    expect(offered).toMatchObject({ sdp: description('us2') });
    expect(made()[0]?.restarts).toBe(0);
    await session.perform(answer('them again'));
    made()[1]?.becomes('connecting');
    expect(open()).toEqual([1, 2]);
    expect(states()).toEqual(['connecting', 'connected']);
    made()[1]?.becomes('connected');
    expect(open()).toEqual([2]);
    expect(states()).toEqual(['connecting', 'connected', 'connected']);
  });

  test('is given up by a rollback, and the call is where it was', async () => {
    await inCall();
    await session.perform(RESTART);
    await session.perform({ type: 'rollback' });
    expect(open()).toEqual([1]);
    expect(await session.perform(OFFER)).toMatchObject({ sdp: description('us1') });
    await session.perform(answer('them'));
  });

  test('that does not come about in time is told as it is', async () => {
    await inCall();
    await session.perform(RESTART);
    await session.perform(answer('them again'));
    made()[1]?.becomes('connecting');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(open()).toEqual([2]);
    expect(states().at(-1)).toBe('connecting');
  });

  test('what becomes of a replaced peer connection is not told', async () => {
    await inCall();
    await session.perform(RESTART);
    await session.perform(answer('them again'));
    made()[0]?.becomes('failed');
    expect(states()).not.toContain('failed');
  });

  test('is restarted in place where more than audio was agreed: media never get fewer', async () => {
    await inCall();
    const [connection] = made();
    connection!.currentLocalDescription = { type: 'offer', sdp: description('us1', 2) };
    await session.perform(RESTART);
    expect(connection?.restarts).toBe(1);
    expect(open()).toEqual([1]);
    await session.perform(answer('them'));
  });

  test('before anything is agreed there is nothing to renew', async () => {
    await session.perform(RESTART);
    expect(open()).toEqual([1]);
  });
});

describe('an offer of the far end', () => {
  test('from the DTLS end point known so far is answered where the call is', async () => {
    await inCall();
    expect(await session.perform(offerOf('them'))).toMatchObject({ sdp: description('us1') });
    expect(open()).toEqual([1]);
  });

  test('a microphone that opens while a fresh peer connection answers is heard on it', async () => {
    await inCall();
    const track = { stop: () => undefined, label: 'microphone' };
    const capture = (): Promise<object> => Promise.resolve({ getAudioTracks: () => [track] });
    vi.stubGlobal('navigator', { mediaDevices: Object.assign(new EventTarget(), { getUserMedia: capture }) });
    const answered = session.perform(offerOf('stranger'));
    await session.setDevices({ microphone: 'another' });
    await answered;
    expect(made()[1]?.sends).toBe(track);
  });

  test('from another one is answered by a fresh peer connection', async () => {
    await inCall();
    expect(await session.perform(offerOf('stranger'))).toMatchObject({ sdp: description('us2') });
    expect(open()).toEqual([1, 2]);
    made()[1]?.becomes('connected');
    expect(open()).toEqual([2]);
  });
});
