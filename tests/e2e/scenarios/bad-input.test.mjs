// Whatever arrives on the WebSocket, other users notice nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "../lib/app.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { SipProbe } from "../lib/sip.mjs";

const HEAD = "OPTIONS sip:bob@clearline.localhost SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKbad";

/** Things no phone sends. */
const GARBAGE = [
  "",
  "\r\n\r\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
  HEAD,
  `${HEAD}\r\nContent-Length: 99999\r\n\r\nshort`,
  `${HEAD}\r\nMax-Forwards: -1\r\nFrom: <\r\nTo: >\r\nCSeq: x\r\nCall-ID:\r\n\r\n`,
  "\0\0\0\0",
  "INVITE ".repeat(5000),
];

scenario("garbage of every kind during a call of others", async ({ server, user, keep }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  for (const text of GARBAGE) {
    const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
    for (let count = 0; count < 20; count++) probe.send(text);
    probe.send(randomBytes(2000));
  }
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears meanwhile" });
  await alice.press("end");
  await bob.idle();
});

scenario("a message of more than 64 kB closes the connection with a reason", async ({ server, keep }) => {
  const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
  probe.send(`${HEAD}\r\nX-Huge: ${"a".repeat(70_000)}\r\n\r\n`);
  const { code, reason } = await probe.closed;
  assert.ok([1009, 1008].includes(code), `closed with ${code} ${reason}`);
  const next = keep(await SipProbe.open(server.sipUrl, server.domain));
  assert.equal((await next.request("OPTIONS", `sip:${server.domain}`, "alice", "demo")).status, 200);
});

scenario("a page of another site may not open the WebSocket", async ({ server }) => {
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(server.sipUrl, "sip", { headers: { Origin: "https://elsewhere.example" } });
  const failure = await new Promise((resolve) => socket.once("error", resolve).once("open", () => resolve(null)));
  socket.terminate();
  assert.match(String(failure), /403/);
});

scenario("what a person types cannot become a header, and names are text", async ({ user }) => {
  const alice = await user("alice");
  await alice.dial('bob\r\nX-Evil: 1 <img src=x onerror="window.evil=1">');
  await alice.idle();
  assert.equal(await alice.page.evaluate(() => /** @type {any} */ (window).evil), undefined);
  await alice.registered();
});
