import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Microphone } from '../src/media/microphone.js';

class FakeTrack {
  enabled = true;
  readyState = 'live';
  label = 'Headset';
  onended: (() => void) | null = null;

  stop(): void {
    this.readyState = 'ended';
  }
}

/** Answers of the browser, in order; the last one stays. */
let answers: (() => Promise<FakeTrack>)[];
let asked: MediaStreamConstraints[];
let opened: FakeTrack[];
let devices: EventTarget & { getUserMedia?: unknown };
let sent: unknown[];
let problems: (string | null)[];

const gives = async (): Promise<FakeTrack> => {
  const track = new FakeTrack();
  opened.push(track);
  return track;
};
const refuses = (name: string) => (): Promise<FakeTrack> => Promise.reject(new DOMException('no', name));

beforeEach(() => {
  answers = [gives];
  asked = [];
  opened = [];
  sent = [];
  problems = [];
  devices = new EventTarget();
  devices.getUserMedia = async (constraints: MediaStreamConstraints) => {
    asked.push(constraints);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    const track = await answer!();
    return { getAudioTracks: () => [track] };
  };
  vi.stubGlobal('navigator', { mediaDevices: devices });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function microphone(device?: string): Microphone {
  const listener = {
    track: (track: unknown) => void sent.push(track),
    problem: (problem: string | null) => void problems.push(problem),
  };
  return new Microphone(listener, device);
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('the microphone of a call', () => {
  test('is opened with echo cancellation, sent, and released at the end', async () => {
    const mic = microphone('headset');
    await mic.open();
    expect(asked).toEqual([
      {
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, deviceId: { ideal: 'headset' } },
      },
    ]);
    expect(sent).toEqual([opened[0]]);
    expect(problems).toEqual([]);
    mic.close();
    expect(opened[0]?.readyState).toBe('ended');
  });

  test('is opened once, however often it is asked for', async () => {
    const mic = microphone();
    await Promise.all([mic.open(), mic.open(), mic.ready()]);
    expect(asked).toHaveLength(1);
  });

  test('that the browser gives too late is released at once', async () => {
    let give: (track: FakeTrack) => void = () => undefined;
    answers = [() => new Promise((resolve) => (give = resolve))];
    const mic = microphone();
    const opening = mic.open();
    mic.close();
    const track = new FakeTrack();
    give(track);
    await opening;
    expect(track.readyState).toBe('ended');
    expect(sent).toEqual([]);
  });

  test.each([
    ['NotAllowedError', 'permission-denied'],
    ['NotFoundError', 'no-device'],
    ['NotReadableError', 'device-failed'],
    ['TypeError', 'failed'],
  ])('%s leaves the call with silence and %s', async (name, problem) => {
    answers = [refuses(name)];
    await microphone().open();
    expect(problems).toEqual([problem]);
    expect(sent).toEqual([null]);
  });

  test('a page without media devices is as good as refused', async () => {
    vi.stubGlobal('navigator', {});
    await microphone().open();
    expect(problems).toEqual(['permission-denied']);
  });

  test('that is unplugged gives way to the next, and stays muted if it was', async () => {
    const mic = microphone();
    await mic.open();
    mic.setEnabled(false);
    opened[0]?.onended?.();
    await settle();
    expect(problems).toEqual(['device-failed', null]);
    expect(sent).toEqual([opened[0], null, opened[1]]);
    expect(opened[1]?.enabled).toBe(false);
  });

  test('that is missing is tried again when a device appears', async () => {
    answers = [refuses('NotFoundError'), gives];
    await microphone().open();
    devices.dispatchEvent(new Event('devicechange'));
    await settle();
    expect(problems).toEqual(['no-device', null]);
    expect(sent.at(-1)).toBe(opened[0]);
  });

  test('setting the same device again is a way to try again, but disturbs no working one', async () => {
    answers = [refuses('NotAllowedError'), gives];
    const mic = microphone();
    await mic.open();
    await mic.setDevice(undefined);
    expect(problems).toEqual(['permission-denied', null]);
    await mic.setDevice(undefined);
    expect(opened).toHaveLength(1);
    await mic.setDevice('other');
    expect(opened.map((track) => track.readyState)).toEqual(['ended', 'live']);
  });

  test('after the end nothing opens it again', async () => {
    answers = [refuses('NotFoundError'), gives];
    const mic = microphone();
    await mic.open();
    mic.close();
    devices.dispatchEvent(new Event('devicechange'));
    await mic.setDevice('other');
    await settle();
    expect(opened).toHaveLength(0);
  });
});
