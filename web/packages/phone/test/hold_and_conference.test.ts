// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HoldMusic, MediaAction, MediaSession } from '../src/api.js';
import { browserMedia } from '../src/media/session.js';
import { FakeStream, FakeTrack, heardIn, openContexts, stubAudio } from './fake_audio.js';
import { FakeConnection, description } from './fake_connection.js';

vi.mock('../src/media/speaker.js', () => ({
  Speaker: class {
    play(): void {}
    stop(): void {}
    async setDevice(): Promise<void> {}
  },
}));

const offer = (direction: RTCRtpTransceiverDirection): MediaAction => ({ type: 'create-offer', direction, ice_restart: false });
const ANSWER: MediaAction = { type: 'apply-answer', answer: description('them'), provisional: false };
const mute = (muted: boolean): MediaAction => ({ type: 'set-muted', muted });
const conference = (number: number | null): MediaAction => ({ type: 'set-conference', conference: number });

/** One call of this window: what its party is sent. */
interface Leg {
  readonly session: MediaSession;
  readonly connection: FakeConnection;
  sent(): string[];
}

let legs: Leg[];

beforeEach(() => {
  FakeConnection.all = [];
  legs = [];
  stubAudio();
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [] }) });
  const getUserMedia = async (): Promise<FakeStream> => new FakeStream([new FakeTrack('room')]);
  vi.stubGlobal('navigator', { mediaDevices: Object.assign(new EventTarget(), { getUserMedia }) });
});

afterEach(async () => {
  for (const { session } of legs) await session.perform({ type: 'close' });
  expect(openContexts(), 'no audio context is left open').toBe(0);
  vi.unstubAllGlobals();
});

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** What the sessions have logged. */
const logged: string[] = [];

async function call(party: string, holdMusic: HoldMusic = 'generated'): Promise<Leg> {
  const log = (level: string, message: string): void => {
    if (level === 'warn') logged.push(message);
  };
  const session = browserMedia({ iceServers: [], iceTransportPolicy: 'all', devices: {}, holdMusic, emit: () => undefined, log });
  const connection = FakeConnection.all.at(-1)!;
  const leg: Leg = { session, connection, sent: () => heardIn(connection.sends) };
  legs.push(leg);
  await negotiate(leg, 'sendrecv');
  const streams = [new FakeStream([new FakeTrack(party)])];
  connection.dispatchEvent(Object.assign(new Event('track'), { streams, track: streams[0]!.tracks[0] }));
  connection.becomes('connected');
  await settle();
  return leg;
}

async function negotiate({ session }: Leg, direction: RTCRtpTransceiverDirection): Promise<void> {
  await session.perform(offer(direction));
  await session.perform(ANSWER);
  await settle();
}

describe('music on hold', () => {
  test('plays when the far end has agreed to be held, and ends when it is to be retrieved', async () => {
    const leg = await call('bob');
    expect(leg.sent()).toEqual(['room']);
    await leg.session.perform(offer('sendonly'));
    expect(leg.sent()).toEqual([]);
    await leg.session.perform(ANSWER);
    await settle();
    expect(leg.sent()).toEqual(['music']);
    await leg.session.perform(offer('sendrecv'));
    expect(leg.sent(), 'not agreed yet').toEqual([]);
    await leg.session.perform(ANSWER);
    expect(leg.sent()).toEqual(['room']);
  });

  test('plays on when the retrieval is taken back', async () => {
    const leg = await call('bob');
    await negotiate(leg, 'sendonly');
    await leg.session.perform(offer('sendrecv'));
    await leg.session.perform({ type: 'rollback' });
    await settle();
    expect(leg.sent()).toEqual(['music']);
  });

  test('does not depend on the mute, which outlives it', async () => {
    const leg = await call('bob');
    await leg.session.perform(mute(true));
    await negotiate(leg, 'sendonly');
    expect(leg.sent()).toEqual(['music']);
    await negotiate(leg, 'sendrecv');
    expect(leg.sent()).toEqual([]);
    await leg.session.perform(mute(false));
    expect(leg.sent()).toEqual(['room']);
  });

  test('is not for a far end that holds as well', async () => {
    const leg = await call('bob');
    leg.connection.farEndListens = false;
    await negotiate(leg, 'sendonly');
    expect(leg.sent()).toEqual([]);
  });

  test.each(['none', 'platform'] as const)('with %s this side is silent', async (holdMusic) => {
    const leg = await call('bob', holdMusic);
    await negotiate(leg, 'sendonly');
    expect(leg.sent()).toEqual([]);
  });
});

describe('music of one\'s own', () => {
  const fetched = vi.fn<(url: string) => Promise<Response>>();
  const served = (body: BodyInit): void => void fetched.mockImplementation(async () => new Response(body));
  /** Decoding and reading take some turns of the loop. */
  const heldWith = async (url: string): Promise<Leg> => {
    const leg = await call('bob', { url });
    await negotiate(leg, 'sendonly');
    await vi.waitFor(() => expect(leg.sent()).not.toEqual([]));
    return leg;
  };

  beforeEach(() => {
    logged.length = 0;
    fetched.mockReset();
    vi.stubGlobal('fetch', fetched);
  });

  test('is fetched once, and played to everybody on hold', async () => {
    served('brass 20');
    expect((await heldWith('/brass')).sent()).toEqual(['brass']);
    expect((await heldWith('/brass')).sent()).toEqual(['brass']);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(logged).toEqual([]);
  });

  test.each([
    ['no sound', 'noise', /no sound/],
    ['longer than five minutes', 'opera 301', /lasts 301 s/],
    ['shorter than a second', 'click 0.2', /lasts 0 s/],
    ['larger than 4 MiB', new Uint8Array(4 * 1024 * 1024 + 1), /larger/],
  ])('that is %s: the melody instead, and one line in the log', async (what, body, line) => {
    served(body);
    const url = `/${what.replaceAll(' ', '-')}`;
    for (let turn = 0; turn < 2; turn += 1) expect((await heldWith(url)).sent()).toEqual(['music']);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(logged).toEqual([expect.stringMatching(line)]);
  });

  test('that cannot be fetched just now is fetched the next time', async () => {
    fetched.mockImplementation(async () => new Response('', { status: 503 }));
    expect((await heldWith('/later')).sent()).toEqual(['music']);
    served('harp 30');
    expect((await heldWith('/later')).sent()).toEqual(['harp']);
    expect(logged).toHaveLength(1);
  });

  test('that comes when the party is on the line again is not played', async () => {
    let arrive: (response: Response) => void = () => undefined;
    fetched.mockImplementation(() => new Promise((resolve) => (arrive = resolve)));
    const leg = await call('bob', { url: '/slow' });
    await negotiate(leg, 'sendonly');
    await negotiate(leg, 'sendrecv');
    arrive(new Response('slow 10'));
    await settle();
    expect(leg.sent()).toEqual(['room']);
  });
});

describe('a conference', () => {
  async function three(): Promise<[Leg, Leg, Leg]> {
    const [bob, carol, dave] = [await call('bob'), await call('carol'), await call('dave')];
    for (const { session } of legs) await session.perform(conference(1));
    return [bob, carol, dave];
  }

  test('sends everybody the room and the others, and nobody himself', async () => {
    const [bob, carol, dave] = await three();
    expect(bob.sent()).toEqual(['carol', 'dave', 'room']);
    expect(carol.sent()).toEqual(['bob', 'dave', 'room']);
    expect(dave.sent()).toEqual(['bob', 'carol', 'room']);
  });

  test('goes on without who leaves, who is alone with this side again', async () => {
    const [bob, carol, dave] = await three();
    await dave.session.perform(conference(null));
    expect(dave.sent()).toEqual(['room']);
    expect(bob.sent()).toEqual(['carol', 'room']);
    await carol.session.perform({ type: 'close' });
    expect(bob.sent()).toEqual(['room']);
  });

  test('is heard by who is muted, who is not', async () => {
    const [bob] = await three();
    await bob.session.perform(mute(true));
    expect(bob.sent()).toEqual(['carol', 'dave']);
  });

  test('is nothing for who is held: music alone, from the key press on', async () => {
    const [bob] = await three();
    await bob.session.perform(offer('sendonly'));
    expect(bob.sent()).toEqual([]);
    await bob.session.perform(ANSWER);
    await settle();
    expect(bob.sent()).toEqual(['music']);
    await negotiate(bob, 'sendrecv');
    expect(bob.sent()).toEqual(['carol', 'dave', 'room']);
  });

  test('hears a party on its new way', async () => {
    const [bob, carol] = await three();
    await carol.session.perform({ type: 'create-offer', direction: 'sendrecv', ice_restart: true });
    await carol.session.perform(ANSWER);
    const fresh = FakeConnection.all.at(-1)!;
    const streams = [new FakeStream([new FakeTrack('carol again')])];
    fresh.dispatchEvent(Object.assign(new Event('track'), { streams, track: streams[0]!.tracks[0] }));
    fresh.becomes('connected');
    expect(bob.sent()).toEqual(['carol again', 'dave', 'room']);
    expect(heardIn(fresh.sends)).toEqual(['bob', 'dave', 'room']);
  });

  test('does not hear another one', async () => {
    const [bob, carol] = [await call('bob'), await call('carol')];
    await bob.session.perform(conference(1));
    await carol.session.perform(conference(2));
    expect(bob.sent()).toEqual(['room']);
  });

  test('that cannot be mixed is refused, and the call goes on', async () => {
    const leg = await call('bob');
    vi.stubGlobal('AudioContext', undefined);
    await expect(leg.session.perform(conference(1))).rejects.toMatchObject({ kind: 'failed' });
    expect(leg.sent()).toEqual(['room']);
  });
});

test('whatever is done in whatever order, who is held or being held never hears the room or anybody else', async () => {
  let random = 7;
  const pick = <T>(choices: readonly T[]): T => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return choices[Math.floor((random / 2_147_483_648) * choices.length)]!;
  };
  for (let round = 0; round < 40; round += 1) {
    const pair = [await call('bob'), await call('carol')];
    const known = new Map(pair.map((leg) => [leg, { wanted: 'sendrecv', agreed: 'sendrecv', offered: false, muted: false }]));
    for (let step = 0; step < 25; step += 1) {
      const leg = pick(pair);
      const state = known.get(leg)!;
      const what = pick(['offer', 'answer', 'rollback', 'mute', 'conference', 'microphone'] as const);
      if (what === 'offer' && !state.offered) {
        state.wanted = pick(['sendrecv', 'sendonly']);
        state.offered = true;
        await leg.session.perform(offer(state.wanted as RTCRtpTransceiverDirection));
      } else if (what === 'answer' && state.offered) {
        await leg.session.perform(ANSWER);
        Object.assign(state, { agreed: state.wanted, offered: false });
      } else if (what === 'rollback' && state.offered) {
        await leg.session.perform({ type: 'rollback' });
        Object.assign(state, { wanted: state.agreed, offered: false });
      } else if (what === 'mute') {
        state.muted = pick([true, false]);
        await leg.session.perform(mute(state.muted));
      } else if (what === 'conference') {
        await leg.session.perform(conference(pick([1, null])));
      } else if (what === 'microphone') {
        await leg.session.setDevices({ microphone: pick(['one', 'another']) });
      }
      await settle();
      for (const [{ connection }, { wanted, agreed, muted }] of known) {
        const sent = (): string[] => heardIn(connection.sends);
        const held = wanted !== 'sendrecv' || agreed !== 'sendrecv';
        if (held) expect(sent().filter((sound) => sound !== 'music')).toEqual([]);
        else expect(sent().includes('room')).toBe(!muted);
        expect(sent().includes('music')).toBe(wanted === 'sendonly' && agreed === 'sendonly');
      }
    }
    for (const { session } of pair) await session.perform({ type: 'close' });
    legs = [];
  }
});
