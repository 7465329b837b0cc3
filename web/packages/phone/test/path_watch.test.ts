import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LOOK_MS, PathWatch, STALLED_MS } from '../src/media/path_watch.js';

describe('path watch', () => {
  class FakeTransport extends EventTarget {}
  const iceTransport = new FakeTransport();
  let direction: RTCRtpTransceiverDirection;
  let packet: number | undefined;
  let doubts: string[];
  let watch: PathWatch;

  const transceiver = {
    get currentDirection() {
      return direction;
    },
    receiver: {
      transport: { iceTransport },
      getSynchronizationSources: () => (packet === undefined ? [] : [{ timestamp: packet }]),
    },
  } as unknown as RTCRtpTransceiver;

  beforeEach(() => {
    vi.useFakeTimers();
    direction = 'sendrecv';
    packet = undefined;
    doubts = [];
    watch = new PathWatch({ getTransceivers: () => [transceiver] }, (reason) => doubts.push(reason));
    watch.start();
  });

  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  /** Packets come in for so long. */
  async function audioFor(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      packet = (packet ?? 0) + 1;
      await vi.advanceTimersByTimeAsync(LOOK_MS);
    }
  }

  test('audio that stops raises a doubt once, and again when it has come back in between', async () => {
    await audioFor(5_000);
    expect(doubts).toEqual([]);
    await vi.advanceTimersByTimeAsync(STALLED_MS + LOOK_MS);
    expect(doubts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(doubts).toHaveLength(1);
    await audioFor(1_000);
    await vi.advanceTimersByTimeAsync(STALLED_MS + LOOK_MS);
    expect(doubts).toHaveLength(2);
  });

  test('a far end that has not begun, or that is on hold, owes no audio', async () => {
    await vi.advanceTimersByTimeAsync(10_000);
    await audioFor(1_000);
    direction = 'sendonly';
    await vi.advanceTimersByTimeAsync(10_000);
    expect(doubts).toEqual([]);
  });

  test('a page that was kept from running blames nobody', async () => {
    await audioFor(1_000);
    const frozen = performance.now() + 60_000;
    vi.spyOn(performance, 'now').mockImplementationOnce(() => frozen);
    await vi.advanceTimersByTimeAsync(LOOK_MS);
    expect(doubts).toEqual([]);
  });

  test('a change of the way raises a doubt, but not while ICE still tries several', async () => {
    iceTransport.dispatchEvent(new Event('selectedcandidatepairchange'));
    expect(doubts).toEqual([]);
    await audioFor(3_000);
    iceTransport.dispatchEvent(new Event('selectedcandidatepairchange'));
    expect(doubts).toHaveLength(1);
  });
});
