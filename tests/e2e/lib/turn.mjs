// Debian's coturn on loopback: a relay nobody here wrote, with credentials that expire.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./server.mjs";
import { eventually } from "./wait.mjs";

const PROGRAM = ["/usr/bin/turnserver", "/usr/local/bin/turnserver"].find(existsSync);

/** Where coturn is not to be had, its scenarios are left out and say so. */
export const TURN_MISSING = !PROGRAM && process.platform !== "linux" ? "coturn is not installed" : false;

export class TurnServer {
  /** @param {string} secret shared with whoever makes credentials */
  static async start(secret) {
    if (!PROGRAM) throw new Error("coturn is not installed: run `cargo xtask setup`");
    const turn = new TurnServer(await freePort(), await freePort(), secret);
    await eventually("coturn listens", () => /Total .*relay threads|listener opened on/i.test(turn.log));
    return turn;
  }

  log = "";
  #folder = mkdtempSync(join(tmpdir(), "clearline-turn-"));
  #process;

  /** @param {number} port @param {number} tlsPort @param {string} secret */
  constructor(port, tlsPort, secret) {
    this.port = port;
    this.tlsPort = tlsPort;
    /** The file that the server wants to be told. */
    this.secretFile = join(this.#folder, "secret");
    writeFileSync(this.secretFile, secret);
    const certificate = this.#certificate();
    this.#process = spawn(/** @type {string} */ (PROGRAM), [
      "-n",
      "--no-cli",
      "--listening-ip=127.0.0.1",
      "--relay-ip=127.0.0.1",
      "--allow-loopback-peers",
      `--listening-port=${port}`,
      `--tls-listening-port=${tlsPort}`,
      ...certificate,
      "--use-auth-secret",
      `--static-auth-secret=${secret}`,
      "--realm=clearline.localhost",
      "--fingerprint",
      "--log-file=stdout",
      "--simple-log",
      "--verbose",
      `--pidfile=${join(this.#folder, "pid")}`,
      `--userdb=${join(this.#folder, "users")}`,
    ]);
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on("data", (text) => (this.log += text));
  }

  get udpUrl() {
    return `turn:127.0.0.1:${this.port}?transport=udp`;
  }

  get tlsUrl() {
    return `turns:127.0.0.1:${this.tlsPort}?transport=tcp`;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #certificate() {
    const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => join(this.#folder, name));
    const request = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", [...request, ...subject, "-keyout", key, "-out", certificate], { stdio: "ignore" });
    return [`--cert=${certificate}`, `--pkey=${key}`];
  }
}
