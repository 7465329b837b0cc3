// The browser's own playout engine on the traces of `tests/quality`: `cargo xtask bench media --live [RUNS [TRACE]]`.
//
// Two peer connections in one page, everything between them through the relay of `tests/quality`, which treats the audio as a trace
// says. Sent and heard are recorded by one worklet, on one clock, behind the browser's jitter buffer and decoder, and scored by the
// same script as other engines. Measured is what the trace's window is: 32 s of a call that is 5 s old.

import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeBrowsers, openBrowser } from "../lib/chromium.mjs";
import { passed } from "../lib/wait.mjs";
import { encodeWav } from "../lib/wav.mjs";

const TRACES = ["clean", "gauss20", "loss3", "loss10", "burst", "spikes", "stall", "wifi", "mobile"];
const LEAD_MS = 5_000;
const WINDOW_MS = 32_000;
const PAGE = "https://page.test/";

/** @type {Record<string, string | undefined>} */
const { CLEARLINE_RELAY = "", CLEARLINE_TRACES = "", CLEARLINE_SPEECH = "", CLEARLINE_PYTHON, CLEARLINE_BENCH_TABLES } = process.env;
const runs = Number(process.argv[2] ?? 3);
const only = process.argv[3];

/** @typedef {{ jitterBuffer: number, target: number, concealed: number, stretched: number, recovered: number, late: number,
 *   pesq: number, stoi: number }} Figures */

/** A UDP port that nobody has. @returns {Promise<number>} */
async function freePort() {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = socket.address();
  socket.close();
  return port;
}

/** What the page does; serialised, so it refers to nothing outside. */
function installCall() {
  const recorder = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([input]) {
      this.port.postMessage([input[0]?.slice() ?? new Float32Array(128), input[1]?.slice() ?? new Float32Array(128)]);
      return true;
    }
  })`;
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  /** @type {Float32Array[][]} */
  const recorded = [];
  let recording = false;

  const gathered = (/** @type {RTCPeerConnection} */ pc) =>
    new Promise((resolve) => {
      pc.onicecandidate = ({ candidate }) => {
        if (candidate?.address === "127.0.0.1" && candidate.protocol === "udp") resolve(candidate.port);
      };
    });

  Object.assign(window, {
    /** Agrees on the call without a way for it; resolves with the far end's port. @param {string} base64 a WAV file */
    async prepare(base64) {
      const context = new AudioContext({ sampleRate: 48000 });
      await context.audioWorklet.addModule(URL.createObjectURL(new Blob([recorder], { type: "text/javascript" })));
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const speech = await context.decodeAudioData(bytes.buffer);
      const voice = new AudioBufferSourceNode(context, { buffer: speech, loop: true });
      const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
      voice.connect(microphone);
      const both = new ChannelMergerNode(context, { numberOfInputs: 2 });
      const tape = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 1, channelCount: 2, channelCountMode: "explicit" });
      tape.port.onmessage = ({ data }) => recording && recorded.push(data);
      voice.connect(both, 0, 0);
      both.connect(tape).connect(context.destination);
      far.ontrack = ({ streams: [stream] }) => {
        // Without an element nothing pulls a remote track.
        const element = new Audio();
        Object.assign(element, { srcObject: stream, muted: true });
        void element.play();
        new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(both, 0, 1);
      };
      near.addTrack(microphone.stream.getTracks()[0], microphone.stream);
      const port = gathered(far);
      const offer = await near.createOffer();
      await near.setLocalDescription(offer);
      await far.setRemoteDescription(offer);
      const answer = await far.createAnswer();
      await far.setLocalDescription(answer);
      await near.setRemoteDescription(answer);
      voice.start();
      return port;
    },
    /** Both ends see each other at the relay. @param {number} port */
    async connect(port) {
      const candidate = `candidate:1 1 udp 2130706431 127.0.0.1 ${port} typ host`;
      for (const pc of [near, far]) await pc.addIceCandidate({ candidate, sdpMid: "0" });
      for (;;) {
        const stats = [...(await near.getStats()).values()].find(({ type }) => type === "outbound-rtp");
        if (stats?.packetsSent > 0) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    record() {
      recording = true;
    },
    async received() {
      return [...(await far.getStats()).values()].find(({ type }) => type === "inbound-rtp");
    },
    /** What was sent or heard, as 16 bits in base64. @param {0 | 1} channel */
    recorded(channel) {
      const samples = recorded.flatMap((block) => [...block[channel]]);
      const pcm = Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32767);
      const bytes = new Uint8Array(pcm.buffer);
      let text = "";
      for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
      return btoa(text);
    },
  });
}

/** One call. @param {string} trace @param {string} folder @returns {Promise<Figures>} */
async function call(trace, folder) {
  const browser = await openBrowser({ flags: ["--disable-features=WebRtcHideLocalIpsWithMdns"], alone: true });
  const page = await browser.context.newPage();
  await page.route(PAGE, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(PAGE);
  await page.evaluate(installCall);
  const target = await page.evaluate((wav) => window.prepare(wav), readFileSync(CLEARLINE_SPEECH).toString("base64"));
  const port = await freePort();
  const csv = join(folder, "trace.csv");
  writeFileSync(csv, execFileSync(CLEARLINE_TRACES, ["--generate", trace]));
  const relay = spawn(CLEARLINE_RELAY, [`127.0.0.1:${port}`, `127.0.0.1:${target}`, csv], { stdio: "inherit" });
  try {
    await page.evaluate((relayed) => window.connect(relayed), port);
    await passed(LEAD_MS);
    await page.evaluate(() => window.record());
    const before = await page.evaluate(() => window.received());
    await passed(WINDOW_MS);
    const after = await page.evaluate(() => window.received());
    await passed(500);
    const files = ["sent", "heard"].map((name) => join(folder, `${trace} ${name}.wav`));
    for (const [channel, file] of files.entries()) {
      const pcm = Buffer.from(await page.evaluate((one) => window.recorded(one), channel), "base64");
      const samples = Float32Array.from(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2), (sample) => sample / 32767);
      writeFileSync(file, encodeWav({ rate: 48000, samples: channel === 0 ? samples.subarray(0, (48 * WINDOW_MS) | 0) : samples }));
    }
    return { ...figures(before, after), ...score(files) };
  } finally {
    relay.kill();
    await browser.close();
  }
}

/** @param {any} before @param {any} after */
function figures(before, after) {
  const since = (/** @type {string} */ name) => after[name] - before[name];
  const share = (/** @type {number} */ samples) => (100 * samples) / since("totalSamplesReceived");
  return {
    jitterBuffer: (1000 * since("jitterBufferDelay")) / since("jitterBufferEmittedCount"),
    target: (1000 * since("jitterBufferTargetDelay")) / since("jitterBufferEmittedCount"),
    concealed: share(since("concealedSamples")),
    stretched: share(since("removedSamplesForAcceleration") + since("insertedSamplesForDeceleration")),
    recovered: since("fecPacketsReceived") - since("fecPacketsDiscarded"),
    late: since("packetsDiscarded"),
  };
}

/** @param {string[]} files */
function score(files) {
  if (!CLEARLINE_PYTHON) return { pesq: Number.NaN, stoi: Number.NaN };
  const text = execFileSync(CLEARLINE_PYTHON, ["../quality/score.py"], { input: `${files.join("\t")}\n`, encoding: "utf8" });
  const [pesq, stoi] = text.trim().split(" ").map(Number);
  return { pesq, stoi };
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const folder = mkdtempSync(join(tmpdir(), "clearline-media-"));
const rows = [];
for (const trace of TRACES) {
  if (only && trace !== only) continue;
  /** @type {Figures[]} */
  const results = [];
  for (let run = 0; run < runs; run++) results.push(await call(trace, folder));
  const shown = (/** @type {keyof Figures} */ name, digits = 2) => {
    const values = results.map((result) => result[name]);
    const text = (/** @type {number} */ value) => (Number.isNaN(value) ? "-" : value.toFixed(digits));
    return `${text(median(values))} (${values.map(text).join(" / ")})`;
  };
  const row = `| ${trace} | ${shown("jitterBuffer", 0)} | ${shown("target", 0)} | ${shown("concealed")} | ${shown("stretched")} | ${shown("recovered", 0)} | ${shown("pesq")} | ${shown("stoi", 3)} |`;
  console.log(row);
  rows.push(row);
}
await closeBrowsers();
rmSync(folder, { recursive: true });
const table = `Chromium's own playout engine in calls through the relay (\`cargo xtask bench media --live ${runs}\`): medians, and each call. Delay and
target are those of its statistics (from a packet's arrival to its playing); scores are against what was sent, before the encoder.

| trace | delay, ms | target | concealed % | stretched % | FEC packets used | PESQ-WB | STOI |
|---|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
if (!only && CLEARLINE_BENCH_TABLES) writeFileSync(join(CLEARLINE_BENCH_TABLES, "chromium.md"), table);
console.log(`\n${table}`);
