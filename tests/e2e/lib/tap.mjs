// What runs in every page under test before its own scripts: remembers peer connections and microphones, and can
// record what arrives. The page itself is not changed in what it sees.

import { passed } from "./wait.mjs";

/** Installed by `addInitScript`; must not use anything from outside. */
export function installTap() {
  const RATE = 48000;
  const connections = [];
  const microphones = [];
  const requests = { microphone: 0 };
  /** A headless browser dismisses its own question at once; a person may leave it open for a while. */
  let question = Promise.resolve();
  let answerQuestion = () => undefined;
  /** @type {Map<MediaStreamTrack, { chunks: Float32Array[] }>} */
  const heard = new Map();
  let context;
  let recording = false;

  const Original = window.RTCPeerConnection;
  if (Original) {
    window.RTCPeerConnection = class RTCPeerConnection extends Original {
      constructor(...parameters) {
        super(...parameters);
        connections.push(this);
        this.addEventListener("track", ({ track }) => {
          if (track.kind === "audio") listen(track);
        });
      }
    };
  }

  const devices = navigator.mediaDevices;
  if (devices) {
    const getUserMedia = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      requests.microphone += 1;
      await question;
      const stream = await getUserMedia(constraints);
      microphones.push(...stream.getAudioTracks());
      return stream;
    };
    const clone = MediaStreamTrack.prototype.clone;
    MediaStreamTrack.prototype.clone = function () {
      const copy = clone.call(this);
      if (microphones.includes(this)) microphones.push(copy);
      return copy;
    };
  }

  function listen(track) {
    context ??= new AudioContext({ sampleRate: RATE });
    const stream = new MediaStream([track]);
    // A remote track only flows into an audio graph while some element plays it.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    void element.play().catch(() => undefined);
    const source = context.createMediaStreamSource(stream);
    // Needs no file and no blob URL, which a page's content security policy may forbid.
    const processor = context.createScriptProcessor(4096, 1, 1);
    const entry = { chunks: [], element, source, processor };
    processor.onaudioprocess = ({ inputBuffer }) => {
      if (recording) entry.chunks.push(inputBuffer.getChannelData(0).slice());
    };
    source.connect(processor).connect(context.destination);
    heard.set(track, entry);
    window.dispatchEvent(new CustomEvent("tapped", { detail: { context, source } }));
  }

  function base64(samples) {
    const bytes = new Uint8Array(Int16Array.from(samples, (s) => Math.max(-1, Math.min(1, s)) * 32767).buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  }

  window.__tap = {
    /** From now on what arrives is kept. */
    async record() {
      if (context?.state === "suspended") await context.resume();
      for (const entry of heard.values()) entry.chunks = [];
      recording = true;
    },
    /** One base64 text of 16-bit samples at 48 kHz for each track that is still live. */
    recorded() {
      recording = false;
      const live = [...heard].filter(([track]) => track.readyState === "live");
      return live.map(([, { chunks }]) => {
        const samples = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
        chunks.reduce((at, chunk) => (samples.set(chunk, at), at + chunk.length), 0);
        return base64(samples);
      });
    },
    /** From now on the question for the microphone stays open until `closeQuestion`. */
    leaveQuestionOpen() {
      question = new Promise((resolve) => (answerQuestion = () => resolve()));
    },
    closeQuestion: () => answerQuestion(),
    /** Microphone tracks that are open, and how often one was asked for. */
    microphones() {
      const open = microphones.filter((track) => track.readyState === "live");
      return { open: open.length, enabled: open.filter((track) => track.enabled).length, requests: requests.microphone };
    },
    /** Every peer connection that is not closed, with what its senders carry. */
    async connections() {
      const open = connections.filter((connection) => connection.connectionState !== "closed");
      return Promise.all(open.map(describe));
    },
    made: () => connections.length,
    /** All peer connections, the newest last. */
    all: () => connections,
  };

  async function describe(connection) {
    const sent = { packets: 0, bytes: 0 };
    const received = { packets: 0, energy: 0 };
    let level = 0;
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type === "outbound-rtp") {
        sent.packets += entry.packetsSent;
        sent.bytes += entry.bytesSent;
      }
      if (entry.type === "inbound-rtp") {
        received.packets += entry.packetsReceived;
        received.energy += entry.totalAudioEnergy ?? 0;
      }
      if (entry.type === "media-source" && entry.kind === "audio") level = entry.audioLevel ?? 0;
    }
    const senders = connection.getTransceivers().map(({ sender, currentDirection }) => ({
      direction: currentDirection,
      carriesMicrophone: microphones.some((track) => track === sender.track && track.readyState === "live" && track.enabled),
    }));
    return { state: connection.connectionState, sent, received, level, senders };
  }
}

/**
 * Records what the page hears for a while; the tracks of several peers are separate. `meanwhile` starts when the
 * recording runs, and the recording lasts at least as long.
 * @param {import("playwright-core").Page} page @param {number} duration seconds
 * @param {() => Promise<unknown>} [meanwhile]
 * @returns {Promise<import("./wav.mjs").Sound[]>}
 */
export async function recordPage(page, duration, meanwhile = async () => undefined) {
  await page.evaluate(() => window.__tap.record());
  await Promise.all([passed(duration * 1000), meanwhile()]);
  const texts = await page.evaluate(() => window.__tap.recorded());
  return texts.map(decodeSamples);
}

/** @param {string} text base64 of 16-bit samples at 48 kHz */
function decodeSamples(text) {
  const bytes = Buffer.from(text, "base64");
  const samples = new Float32Array(bytes.length / 2);
  samples.forEach((_, index) => (samples[index] = bytes.readInt16LE(index * 2) / 32768));
  return { rate: 48000, samples };
}
