// The least SIP over WebSocket that asks a server questions from outside: digest, registrations, raw bytes.

import { createHash, randomBytes } from "node:crypto";
import { WebSocket } from "ws";

/** @typedef {{ status: number, reason: string, headers: Map<string, string[]>, body: string }} Answer */

export class SipProbe {
  /** @param {string} url @param {string} domain */
  static async open(url, domain) {
    const socket = new WebSocket(url, "sip");
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return new SipProbe(socket, domain);
  }

  #waiting = new Map();
  #sequence = 1;

  /** @param {WebSocket} socket @param {string} domain */
  constructor(socket, domain) {
    this.socket = socket;
    this.domain = domain;
    /** Resolves with the code and reason of the end. @type {Promise<{ code: number, reason: string }>} */
    this.closed = new Promise((resolve) =>
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    socket.on("message", (data) => this.#received(data.toString()));
  }

  close() {
    this.socket.terminate();
  }

  /** Sends bytes as they are. @param {string | Buffer} bytes */
  send(bytes) {
    this.socket.send(bytes);
  }

  /** The contacts registered for a user. @param {string} user @param {string} password */
  async bindings(user, password) {
    const answer = await this.request("REGISTER", `sip:${this.domain}`, user, password);
    if (answer.status !== 200) throw new Error(`the question for ${user}'s bindings got ${answer.status}`);
    return answer.headers.get("contact") ?? [];
  }

  /**
   * Sends a request, answers a digest challenge, and gives the final answer.
   * @param {string} method @param {string} uri @param {string} user @param {string} password @param {string[]} [more]
   * @returns {Promise<Answer>}
   */
  async request(method, uri, user, password, more = []) {
    const callId = randomBytes(8).toString("hex");
    const first = await this.#exchange(method, uri, user, callId, more);
    const challenge = first.headers.get("www-authenticate") ?? first.headers.get("proxy-authenticate");
    if (!challenge || (first.status !== 401 && first.status !== 407)) return first;
    const field = first.status === 401 ? "Authorization" : "Proxy-Authorization";
    const credentials = digest(challenge.find((line) => /MD5|^(?!.*algorithm)/i.test(line)) ?? challenge[0], {
      method,
      uri,
      user,
      password,
    });
    return this.#exchange(method, uri, user, callId, [...more, `${field}: ${credentials}`]);
  }

  /** @returns {Promise<Answer>} */
  #exchange(method, uri, user, callId, more) {
    const branch = `z9hG4bK${randomBytes(8).toString("hex")}`;
    const address = `<sip:${user}@${this.domain}>`;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/WS probe.invalid;branch=${branch}`,
      "Max-Forwards: 70",
      `From: ${address};tag=${randomBytes(4).toString("hex")}`,
      `To: ${method === "REGISTER" ? address : `<${uri}>`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${this.#sequence++} ${method}`,
      ...more,
      "Content-Length: 0",
    ];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), 10_000);
      this.#waiting.set(branch, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.socket.send(`${lines.join("\r\n")}\r\n\r\n`);
    });
  }

  /** @param {string} text */
  #received(text) {
    const answer = parseAnswer(text);
    const branch = answer?.headers.get("via")?.[0]?.match(/branch=([^;,\s]+)/)?.[1];
    if (!answer || answer.status < 200 || !branch) return;
    this.#waiting.get(branch)?.(answer);
    this.#waiting.delete(branch);
  }
}

/** @param {string} text @returns {Answer | undefined} */
export function parseAnswer(text) {
  const [head, ...body] = text.split("\r\n\r\n");
  const [start, ...lines] = head.split("\r\n");
  const [, status, reason] = start.match(/^SIP\/2\.0 (\d{3}) (.*)$/) ?? [];
  if (!status) return undefined;
  const headers = new Map();
  for (const line of lines) {
    const [, name, value] = line.match(/^([^:\s]+)\s*:\s*(.*)$/) ?? [];
    if (!name) continue;
    const key = { v: "via", m: "contact", i: "call-id" }[name.toLowerCase()] ?? name.toLowerCase();
    const values = key === "contact" ? value.split(/,(?=\s*(?:"|<|sip))/) : [value];
    headers.set(key, [...(headers.get(key) ?? []), ...values.map((part) => part.trim())]);
  }
  return { status: Number(status), reason, headers, body: body.join("\r\n\r\n") };
}

/**
 * Digest credentials (RFC 7616) for one challenge. @param {string} challenge
 * @param {{ method: string, uri: string, user: string, password: string }} request
 */
export function digest(challenge, { method, uri, user, password }) {
  const value = (name) => challenge.match(new RegExp(`[\\s,]${name}="?([^",]+)"?`, "i"))?.[1];
  const algorithm = value("algorithm") ?? "MD5";
  const hash = (text) => createHash(/sha-256/i.test(algorithm) ? "sha256" : "md5").update(text).digest("hex");
  const realm = challenge.match(/realm="([^"]*)"/i)?.[1] ?? "";
  const nonce = challenge.match(/nonce="([^"]*)"/i)?.[1] ?? "";
  const opaque = challenge.match(/opaque="([^"]*)"/i)?.[1];
  const secret = hash(`${user}:${realm}:${password}`);
  const asked = hash(`${method}:${uri}`);
  const parts = [`username="${user}"`, `realm="${realm}"`, `nonce="${nonce}"`, `uri="${uri}"`, `algorithm=${algorithm}`];
  if (opaque !== undefined) parts.push(`opaque="${opaque}"`);
  if (/qop=/i.test(challenge)) {
    const cnonce = randomBytes(8).toString("hex");
    const response = hash(`${secret}:${nonce}:00000001:${cnonce}:auth:${asked}`);
    parts.push(`response="${response}"`, "qop=auth", "nc=00000001", `cnonce="${cnonce}"`);
  } else {
    parts.push(`response="${hash(`${secret}:${nonce}:${asked}`)}"`);
  }
  return `Digest ${parts.join(", ")}`;
}
