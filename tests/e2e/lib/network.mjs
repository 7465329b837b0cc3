// A small network of its own: a machine with two uplinks (a cable and a radio, say), another with one, and the server,
// joined by a router. Everything is in network namespaces; nothing leaves this machine.
//
//   alice --cable--\
//         --radio---- router ---- server (this program's own namespace)
//   bob   --cable--/

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const browserProgram = () => process.env.CLEARLINE_CHROMIUM ?? "/usr/bin/chromium";

/** Why such a network cannot be made here, or false. */
export const NETWORK_MISSING = networkMissing();

function networkMissing() {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  return process.getuid?.() === 0 ? false : "network namespaces need root";
}

/** Runs `ip`. @param {string} line */
const ip = (line) => execFileSync("ip", line.split(" "), { stdio: ["ignore", "pipe", "pipe"] });

/** A computer with uplinks. */
export class Machine {
  /** @param {string} namespace @param {Uplink[]} uplinks @param {string} folder */
  constructor(namespace, uplinks, folder) {
    this.namespace = namespace;
    this.uplinks = uplinks;
    /** A program that starts the browser on this machine. */
    this.browser = join(folder, namespace);
    writeFileSync(this.browser, `#!/bin/sh\nexec nsenter --net=/run/netns/${namespace} ${browserProgram()} "$@"\n`);
    chmodSync(this.browser, 0o755);
  }
}

/** One way into the network, with an address of its own. */
class Uplink {
  /** @param {string} namespace @param {string} router @param {number} subnet @param {string} name */
  constructor(namespace, router, subnet, name) {
    this.namespace = namespace;
    this.router = router;
    this.subnet = subnet;
    this.name = name;
    this.plug = `up${subnet}`;
    ip(`-n ${router} link add ${this.plug} type veth peer name ${name} netns ${namespace}`);
    ip(`-n ${router} addr add 10.226.${subnet}.1/24 dev ${this.plug}`);
    ip(`-n ${router} link set ${this.plug} up`);
    this.connect();
    this.#wait();
  }

  /** Until the kernel has noticed the carrier: a browser started before would see the network change once more. */
  #wait() {
    const end = Date.now() + 5_000;
    while (!String(ip(`-n ${this.namespace} link show dev ${this.name}`)).includes("state UP")) {
      if (Date.now() > end) throw new Error(`${this.namespace}/${this.name} has no carrier`);
    }
  }

  get address() {
    return `10.226.${this.subnet}.2`;
  }

  /** Gets an address and a route, as after plugging in. Uplinks with a lower number are preferred. */
  connect() {
    ip(`-n ${this.namespace} addr replace ${this.address}/24 dev ${this.name}`);
    ip(`-n ${this.namespace} link set ${this.name} up`);
    ip(`-n ${this.namespace} route replace default via 10.226.${this.subnet}.1 dev ${this.name} metric ${100 + this.subnet}`);
  }

  /** The address and all routes through it are gone at once; nobody on either side is told of open connections. */
  disconnect() {
    ip(`-n ${this.namespace} link set ${this.name} down`);
    ip(`-n ${this.namespace} addr flush dev ${this.name}`);
  }
}

export class Network {
  #namespaces = [];
  #folder = mkdtempSync(join(tmpdir(), "clearline-network-"));
  #wire;

  static #count = 0;

  constructor() {
    const tag = `cl${process.pid}n${Network.#count++}`;
    const router = this.#namespace(`${tag}r`);
    this.#wire = `${tag}w`;
    // Where the server listens: this program's own end of a wire to the router.
    this.serverAddress = "10.226.9.2";
    ip(`link add ${this.#wire} type veth peer name server netns ${router}`);
    ip(`addr add ${this.serverAddress}/24 dev ${this.#wire}`);
    ip(`link set ${this.#wire} up`);
    ip(`-n ${router} addr add 10.226.9.1/24 dev server`);
    ip(`-n ${router} link set server up`);
    ip(`route add 10.226.0.0/21 via 10.226.9.1 dev ${this.#wire}`);
    execFileSync("nsenter", [`--net=/run/netns/${router}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    this.router = router;
    const machine = (/** @type {string} */ name, /** @type {[number, string][]} */ links) => {
      const namespace = this.#namespace(`${tag}${name}`);
      return new Machine(namespace, links.map(([subnet, link]) => new Uplink(namespace, router, subnet, link)), this.#folder);
    };
    this.alice = machine("a", [[1, "cable"], [2, "radio"]]);
    this.bob = machine("b", [[3, "cable"]]);
  }

  /** From now on the server's packets vanish in both directions, without a word to anybody; `false` lets them through. */
  silenceServer(silent = true) {
    const rule = (/** @type {string} */ way) =>
      execFileSync("nsenter", [`--net=/run/netns/${this.router}`, "ip", "route", silent ? "replace" : "del", "blackhole", way]);
    rule("10.226.9.2/32");
  }

  close() {
    for (const name of this.#namespaces) ip(`netns del ${name}`);
    try {
      ip(`link del ${this.#wire}`);
    } catch {
      // It went with the router's end.
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @param {string} name */
  #namespace(name) {
    ip(`netns add ${name}`);
    this.#namespaces.push(name);
    // IPv6 would give each uplink a link-local address a second or two after it came up, and Chromium would then end
    // the requests it has open with ERR_NETWORK_CHANGED.
    const off = ["all", "default"].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`);
    execFileSync("nsenter", [`--net=/run/netns/${name}`, "sysctl", "-qe", "-w", ...off]);
    ip(`-n ${name} link set lo up`);
    return name;
  }
}
