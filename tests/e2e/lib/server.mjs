// The real server program on a free port with an empty data folder.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
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

const LOOPBACK = "127.0.0.1";

/** The demo's people, for a server that others can reach: that one wants a users file with passwords nobody guesses. */
const PASSWORD = "correct horse";
const USERS = ["alice", "bob", "carol"].map((id, index) => ({ id, number: `10${index + 1}`, password: PASSWORD }));

export class Server {
  /**
   * @param {string[]} [flags] more command-line flags
   * @param {string} [address] where to listen; off loopback everything is encrypted with a certificate of its own
   */
  static async start(flags = [], address = LOOPBACK) {
    const server = new Server(await freePort(), flags, address);
    await server.start();
    return server;
  }

  #process;
  #dataFolder = mkdtempSync(join(tmpdir(), "clearline-server-"));

  /** @param {number} port @param {string[]} flags @param {string} address */
  constructor(port, flags, address) {
    this.port = port;
    this.address = address;
    this.flags = address === LOOPBACK ? flags : [...flags, ...this.#openToOthers()];
    /** Everything it printed. */
    this.log = "";
  }

  get url() {
    return `${this.address === LOOPBACK ? "http" : "https"}://${this.address}:${this.port}`;
  }

  get sipUrl() {
    return `${this.url.replace("http", "ws")}/sip`;
  }

  /** Everybody's password. */
  get password() {
    return this.address === LOOPBACK ? "demo" : PASSWORD;
  }

  /** The domain of everybody's address. */
  get domain() {
    return "clearline.localhost";
  }

  /** The ICE servers that it tells a user's devices. @param {string} user @returns {Promise<RTCIceServer[]>} */
  async iceServers(user) {
    const api = (/** @type {string} */ path, /** @type {RequestInit} */ init) => fetch(`${this.url}/u/${user}/api/${path}`, init);
    const ours = { "X-Clearline": "1", "Content-Type": "application/json" };
    const signIn = await api("session", { method: "POST", headers: ours, body: JSON.stringify({ password: this.password }) });
    const cookie = signIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const { iceServers } = await (await api("ice-servers", { headers: { ...ours, Cookie: cookie } })).json();
    return iceServers;
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
      return healthy(`${this.url}/healthz`);
    });
  }

  /** From now on it does nothing at all, its sockets stay open; `goOn` ends that. */
  freeze() {
    this.#process?.kill("SIGSTOP");
  }

  goOn() {
    this.#process?.kill("SIGCONT");
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
    this.goOn();
    await this.stop();
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }

  #openToOthers() {
    const users = join(this.#dataFolder, "users.json");
    writeFileSync(users, JSON.stringify({ users: USERS }));
    return ["--listen", this.address, "--local-ca", "--users", users];
  }

  /** Lines that mean a bug of ours. */
  get errors() {
    return this.log.split("\n").filter((line) => /\bERROR\b|panicked at/.test(line));
  }
}

/** @param {string} url @returns {Promise<boolean>} */
async function healthy(url) {
  if (url.startsWith("http:")) return (await fetch(url)).ok;
  return new Promise((resolve, reject) => {
    // Its certificate is its own affair.
    const request = get(url, { rejectUnauthorized: false, timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.once("error", reject);
  });
}

/** Enough log to explain a failed scenario, without colours. */
function serverEnvironment() {
  return { ...process.env, NO_COLOR: "1", RUST_LOG: process.env.RUST_LOG ?? "info", RUST_BACKTRACE: "1" };
}
