// The real server program on a free port with an empty data folder.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./wait.mjs";

/** A port nobody listens on right now. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

export class Server {
  /** @param {string[]} [flags] more command-line flags */
  static async start(flags = []) {
    const server = new Server(await freePort(), flags);
    await server.start();
    return server;
  }

  #process;
  #dataFolder = mkdtempSync(join(tmpdir(), "clearline-server-"));

  /** @param {number} port @param {string[]} flags */
  constructor(port, flags) {
    this.port = port;
    this.flags = flags;
    /** Everything it printed. */
    this.log = "";
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get sipUrl() {
    return `ws://127.0.0.1:${this.port}/sip`;
  }

  /** The domain of everybody's address. */
  get domain() {
    return "clearline.localhost";
  }

  /** Starts it again on the same port with the same data. */
  async start() {
    const program = process.env.CLEARLINE_SERVER;
    const web = process.env.CLEARLINE_WEB_ROOT;
    if (!program || !web) throw new Error("run the scenarios with `cargo xtask e2e`");
    const places = ["--web-dir", web, "--data-dir", this.#dataFolder];
    const child = spawn(program, ["--port", String(this.port), ...places, ...this.flags], { env: serverEnvironment() });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.log += text));
    await eventually("the server answers /healthz", async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${this.log}`);
      return (await fetch(`${this.url}/healthz`)).ok;
    });
  }

  /** Stops it as Ctrl-C does and waits for its end. @param {NodeJS.Signals} [signal] @returns {Promise<number | null>} */
  async stop(signal = "SIGINT") {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    const forced = setTimeout(() => child.kill("SIGKILL"), 10_000);
    const code = await ended;
    clearTimeout(forced);
    return code;
  }

  async close() {
    await this.stop();
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }

  /** Lines that mean a bug of ours. */
  get errors() {
    return this.log.split("\n").filter((line) => /\bERROR\b|panicked at/.test(line));
  }
}

/** Enough log to explain a failed scenario, without colours. */
function serverEnvironment() {
  return { ...process.env, NO_COLOR: "1", RUST_LOG: process.env.RUST_LOG ?? "info", RUST_BACKTRACE: "1" };
}
