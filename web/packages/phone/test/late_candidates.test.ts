import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LateCandidates, addCandidates } from '../src/media/late_candidates.js';

const HOST = 'candidate:1 1 udp 1 192.0.2.1 9 typ host';
const RELAY = 'candidate:2 1 udp 1 192.0.2.2 9 typ relay';

const description = (ufrag: string, ...candidates: string[]): string =>
  ['v=0', 'm=audio 9 RTP/AVP 0', `a=ice-ufrag:${ufrag}`, 'a=ice-pwd:secret', 'a=mid:0', ...candidates.map((it) => `a=${it}`), ''].join('\r\n');

class FakeConnection extends EventTarget {
  localDescription: { sdp: string } | null = null;
  remoteDescription: { sdp: string } | null = null;
  iceGatheringState = 'gathering';
  readonly added: RTCIceCandidateInit[] = [];

  async addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    this.added.push(candidate);
  }

  finds(sdp: string): void {
    this.localDescription = { sdp };
    this.dispatchEvent(new Event('icecandidate'));
  }

  get real(): RTCPeerConnection {
    return this as unknown as RTCPeerConnection;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what is found after the description is told once, all of it', () => {
  const connection = new FakeConnection();
  const tell = vi.fn();
  const late = new LateCandidates(connection.real, tell);
  connection.finds(description('u', HOST));
  late.sent(description('u', HOST));
  vi.advanceTimersByTime(1_000);
  expect(tell).not.toHaveBeenCalled();

  connection.iceGatheringState = 'complete';
  connection.finds(description('u', HOST, RELAY));
  connection.finds(description('u', HOST, RELAY));
  vi.advanceTimersByTime(1_000);
  expect(tell).toHaveBeenCalledTimes(1);
  expect(tell).toHaveBeenCalledWith(
    ['a=ice-ufrag:u', 'a=ice-pwd:secret', 'm=audio 9 RTP/AVP 0', 'a=mid:0', `a=${HOST}`, `a=${RELAY}`, 'a=end-of-candidates', ''].join('\r\n'),
    true,
  );
  late.stop();
});

test('more of the same kind does not matter, and another generation is not told', () => {
  const connection = new FakeConnection();
  const tell = vi.fn();
  const late = new LateCandidates(connection.real, tell);
  late.sent(description('u', RELAY));
  connection.finds(description('u', RELAY, HOST));
  vi.advanceTimersByTime(1_000);
  expect(tell).toHaveBeenCalledWith(expect.any(String), false);
  connection.finds(description('other', RELAY, HOST, HOST));
  vi.advanceTimersByTime(1_000);
  expect(tell).toHaveBeenCalledTimes(1);
});

test("the far end's candidates are added to its description only", async () => {
  const connection = new FakeConnection();
  const fragment = `${description('far', RELAY)}a=end-of-candidates\r\n`;
  await addCandidates(connection.real, fragment);
  connection.remoteDescription = { sdp: description('old') };
  await addCandidates(connection.real, fragment);
  await addCandidates(connection.real, 'nonsense');
  expect(connection.added).toEqual([]);
  connection.remoteDescription = { sdp: description('far') };
  await addCandidates(connection.real, fragment);
  expect(connection.added).toEqual([
    { candidate: RELAY, sdpMid: '0', usernameFragment: 'far' },
    { candidate: '', sdpMid: '0', usernameFragment: 'far' },
  ]);
});
