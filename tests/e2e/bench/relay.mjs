// A WebSocket relay that notes when a client's messages pass: the wire, seen the same way for every phone.

import { WebSocket, WebSocketServer } from "ws";

/** Milliseconds since the epoch with fractions, comparable with a page's. */
export const now = () => performance.timeOrigin + performance.now();

export class Relay {
  /** @param {string} target where messages go */
  static async start(target) {
    const relay = new Relay(target);
    await new Promise((resolve) => relay.#server.once("listening", () => resolve(undefined)));
    return relay;
  }

  /** When the first message of that method passed since the last `forget`. @type {Map<string, number>} */
  seen = new Map();
  #server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "sip", perMessageDeflate: false });

  /** @param {string} target */
  constructor(target) {
    this.#server.on("connection", (client) => this.#join(client, target));
  }

  get url() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `ws://127.0.0.1:${port}/`;
  }

  forget() {
    this.seen.clear();
  }

  close() {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  /** @param {WebSocket} client @param {string} target */
  #join(client, target) {
    const server = new WebSocket(target, "sip", { perMessageDeflate: false });
    /** @type {string[]} */
    const early = [];
    client.on("message", (data) => {
      const text = data.toString();
      this.#note(text);
      if (server.readyState === WebSocket.OPEN) server.send(text);
      else early.push(text);
    });
    server.on("open", () => early.forEach((text) => server.send(text)));
    server.on("message", (data) => client.send(data.toString()));
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on("close", () => other.close());
      one.on("error", () => other.terminate());
    }
  }

  /** @param {string} text */
  #note(text) {
    const method = text.match(/^([A-Z]+) \S+ SIP\/2\.0/)?.[1];
    if (method && !this.seen.has(method)) this.seen.set(method, now());
  }
}
