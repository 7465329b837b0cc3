// Debian's Kamailio as a platform nobody here wrote, over WebSocket on loopback.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./server.mjs";
import { eventually } from "./wait.mjs";

const PROGRAM = ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"].find(existsSync);

/** Where Kamailio is not to be had, its scenario is left out and says so. */
export const KAMAILIO_MISSING = !PROGRAM && process.platform !== "linux" ? "Kamailio is not installed" : false;

export class Kamailio {
  /** @param {string} password of every user */
  static async start(password) {
    if (!PROGRAM) throw new Error("Kamailio is not installed: run `cargo xtask setup`");
    const kamailio = new Kamailio(await freePort());
    kamailio.#run(password);
    await eventually("Kamailio listens", () => kamailio.#listens());
    return kamailio;
  }

  log = "";
  #folder = mkdtempSync(join(tmpdir(), "clearline-kamailio-"));
  #process;

  /** @param {number} port */
  constructor(port) {
    this.port = port;
  }

  get sipUrl() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  get domain() {
    return "clearline.localhost";
  }

  async close() {
    const child = this.#process;
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(password) {
    const template = readFileSync(new URL("../kamailio/kamailio.cfg", import.meta.url), "utf8");
    const values = { PORT: String(this.port), MODULES: modules(), USER_PASSWORD: password };
    const [head, ...lines] = template.split("\n\n");
    const config = lines.join("\n\n").replace(/PORT|MODULES|USER_PASSWORD/g, (name) => values[name]);
    const path = join(this.#folder, "kamailio.cfg");
    writeFileSync(path, `${head}\n\n${config}`);
    // -DD: in the foreground, with its children; ours to end.
    const child = spawn(PROGRAM, ["-DD", "-E", "-f", path, "-Y", this.#folder, "-w", this.#folder]);
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.log += text));
    this.#process = child;
  }

  #listens() {
    if (this.#process.exitCode !== null) throw new Error(`Kamailio ended:\n${this.log}`);
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1", () => resolve(socket.destroy() && true));
      socket.once("error", () => resolve(false));
    });
  }
}

/** Debian keeps the modules in a folder per architecture. */
function modules() {
  const places = readdirSync("/usr/lib").map((name) => join("/usr/lib", name, "kamailio", "modules"));
  const found = [...places, "/usr/lib64/kamailio/modules"].find((place) => existsSync(join(place, "websocket.so")));
  if (!found) throw new Error("Kamailio's WebSocket module is not installed: run `cargo xtask setup`");
  return found;
}
