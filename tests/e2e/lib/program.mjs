// The terminal program `clearline`, with WAV files for a microphone and a loudspeaker.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./wait.mjs";
import { readWav } from "./wav.mjs";

export class Program {
  #folder = mkdtempSync(join(tmpdir(), "clearline-program-"));

  /**
   * Starts `clearline COMMAND ...`, playing a voice and recording what it hears.
   * @param {import("./server.mjs").Server} server @param {string} user
   * @param {import("./speech.mjs").Voice} voice @param {string[]} command for instance `["call", "600"]`
   */
  constructor(server, user, voice, command) {
    const program = process.env.CLEARLINE_PROGRAM;
    if (!program) throw new Error("run the scenarios with `cargo xtask e2e`");
    const account = ["--server", server.sipUrl, "--user", user];
    const audio = ["--play", voice.path, "--record", this.recordingPath];
    const env = { ...process.env, CLEARLINE_PASSWORD: "demo", NO_COLOR: "1" };
    const child = spawn(program, [...command, ...account, ...audio, "--json"], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.output = "";
    this.errors = "";
    child.stdout.on("data", (text) => (this.output += text));
    child.stderr.on("data", (text) => (this.errors += text));
    this.process = child;
    /** @type {Promise<number | null>} */
    this.exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  }

  get recordingPath() {
    return join(this.#folder, "heard.wav");
  }

  /** The JSON lines so far. @returns {any[]} */
  get events() {
    const lines = this.output.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line));
  }

  /** Orders `clearline phone` to do something, and gives how that ended. @param {string} line */
  async order(line) {
    const before = this.events.length;
    this.process.stdin?.write(`${line}\n`);
    return eventually(`${line}: done or not`, () => this.events.slice(before).find((event) => event.event === "order" && event.order === line), { timeout: 30_000 });
  }

  /** Ends it as Ctrl-C does. @returns {Promise<number | null>} */
  async interrupt() {
    this.process.kill("SIGINT");
    return this.exited;
  }

  /** What it heard; it must have ended. */
  heard() {
    return readWav(this.recordingPath);
  }

  async close() {
    if (this.process.exitCode === null) this.process.kill("SIGKILL");
    await this.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
