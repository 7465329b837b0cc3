import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { preferredCodecs } from '../src/media/codecs.js';
import { QUIET_MS, RELAY_BUDGET_MS, SERVER_REFLEXIVE_BUDGET_MS, usefulCandidates } from '../src/media/gathering.js';
import { Meter } from '../src/media/meter.js';

describe('codecs', () => {
  const codec = (mimeType: string, clockRate: number): RTCRtpCodec => ({ mimeType, clockRate });

  test('Opus comes first, both telephone-events stay, redundancy and comfort noise go', () => {
    const offered = [
      codec('audio/PCMU', 8_000),
      codec('audio/red', 48_000),
      codec('audio/opus', 48_000),
      codec('audio/CN', 8_000),
      codec('audio/telephone-event', 8_000),
      codec('audio/telephone-event', 48_000),
      codec('audio/PCMA', 8_000),
    ];
    expect(preferredCodecs(offered).map(({ mimeType, clockRate }) => `${mimeType}/${clockRate}`)).toEqual([
      'audio/opus/48000',
      'audio/PCMA/8000',
      'audio/PCMU/8000',
      'audio/telephone-event/8000',
      'audio/telephone-event/48000',
    ]);
  });
});

describe('gathering', () => {
  class FakeConnection extends EventTarget {
    iceGatheringState: RTCIceGatheringState = 'gathering';

    candidate(type: RTCIceCandidateType): void {
      this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { type } }));
    }

    complete(): void {
      this.iceGatheringState = 'complete';
      this.dispatchEvent(new Event('icegatheringstatechange'));
    }
  }

  const STUN = [{ urls: 'stun:stun.example.com' }];
  const TURN = [{ urls: ['stun:stun.example.com', 'turn:turn.example.com?transport=tcp'] }];
  let connection: FakeConnection;

  beforeEach(() => {
    vi.useFakeTimers();
    connection = new FakeConnection();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  /** The time after which it is done. */
  function gather(servers: RTCIceServer[], policy?: RTCIceTransportPolicy): { at: () => number | null; problem: () => string | null } {
    const began = Date.now();
    let at: number | null = null;
    const gathering = usefulCandidates(connection as unknown as RTCPeerConnection, servers, policy);
    gathering.begun();
    void gathering.done.then(() => (at = Date.now() - began));
    return { at: () => at, problem: () => gathering.problem };
  }

  test('without servers the first burst of host candidates is enough', async () => {
    const done = gather([]);
    await vi.advanceTimersByTimeAsync(6);
    connection.candidate('host');
    await vi.advanceTimersByTimeAsync(QUIET_MS - 1);
    connection.candidate('host');
    await vi.advanceTimersByTimeAsync(QUIET_MS - 1);
    expect(done.at()).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(done.at()).toBe(6 + 2 * QUIET_MS - 1);
  });

  test('with STUN a server-reflexive candidate is awaited, but not for longer than its budget', async () => {
    const done = gather(STUN);
    connection.candidate('host');
    await vi.advanceTimersByTimeAsync(SERVER_REFLEXIVE_BUDGET_MS - 1);
    expect(done.at()).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(done.at()).toBe(SERVER_REFLEXIVE_BUDGET_MS);
  });

  test('with STUN its candidate ends the wait', async () => {
    const done = gather(STUN);
    await vi.advanceTimersByTimeAsync(30);
    connection.candidate('srflx');
    await vi.advanceTimersByTimeAsync(QUIET_MS);
    expect(done.at()).toBe(30 + QUIET_MS);
  });

  test('with TURN a relay candidate is awaited longer', async () => {
    const done = gather(TURN);
    connection.candidate('host');
    connection.candidate('srflx');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done.at()).toBeNull();
    connection.candidate('relay');
    await vi.advanceTimersByTimeAsync(QUIET_MS);
    expect(done.at()).toBe(1_000 + QUIET_MS);
  });

  test('with TURN the wait has an end as well', async () => {
    const done = gather(TURN);
    await vi.advanceTimersByTimeAsync(RELAY_BUDGET_MS);
    expect(done.at()).toBe(RELAY_BUDGET_MS);
  });

  test('where only a relay will do it is waited for longer, and a refusal is kept', async () => {
    const done = gather(TURN, 'relay');
    await vi.advanceTimersByTimeAsync(RELAY_BUDGET_MS);
    expect(done.at()).toBeNull();
    const refusal = { url: 'turn:turn.example.com', errorCode: 401, errorText: 'Unauthorized' };
    connection.dispatchEvent(Object.assign(new Event('icecandidateerror'), refusal));
    connection.complete();
    await vi.advanceTimersByTimeAsync(0);
    expect(done.at()).toBe(RELAY_BUDGET_MS);
    expect(done.problem()).toBe('turn:turn.example.com: 401 Unauthorized');
  });

  test('all there is is enough, and a description that renews nothing has it already', async () => {
    const done = gather(TURN);
    connection.complete();
    await vi.advanceTimersByTimeAsync(0);
    expect(done.at()).toBe(0);
    const again = gather(TURN);
    await vi.advanceTimersByTimeAsync(0);
    expect(again.at()).toBe(0);
  });
});

describe('meter', () => {
  const report = (microphone: [number, number], speaker: [number, number]): RTCStatsReport => {
    const entry = (type: string, [totalAudioEnergy, totalSamplesDuration]: [number, number]): [string, object] => [
      type,
      { type, kind: 'audio', totalAudioEnergy, totalSamplesDuration },
    ];
    return new Map([entry('media-source', microphone), entry('inbound-rtp', speaker)]);
  };

  test('gives the root mean square between two reports', async () => {
    vi.useFakeTimers();
    const reports = [report([0, 0], [0, 0]), report([0.25, 1], [0, 1])];
    const meter = new Meter(async () => reports.shift() ?? null);
    expect(meter.read()).toEqual({ microphone: 0, speaker: 0 });
    await vi.advanceTimersByTimeAsync(100);
    meter.read();
    await vi.advanceTimersByTimeAsync(0);
    expect(meter.read()).toEqual({ microphone: 0.5, speaker: 0 });
    vi.useRealTimers();
  });

  test('asks for statistics no more often than needed', async () => {
    vi.useFakeTimers();
    const stats = vi.fn(async () => null);
    const meter = new Meter(stats);
    for (let frame = 0; frame < 60; frame += 1) {
      meter.read();
      await vi.advanceTimersByTimeAsync(16);
    }
    expect(stats.mock.calls.length).toBeLessThanOrEqual(13);
    vi.useRealTimers();
  });
});
