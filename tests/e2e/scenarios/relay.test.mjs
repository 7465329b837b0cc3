// Calls that go through a TURN server and nowhere else, with credentials that the server hands out for a while.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertHears } from "../lib/listen.mjs";
import { closeAtTheEnd, scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { TURN_MISSING, TurnServer } from "../lib/turn.mjs";

// The relay's certificate is its own.
const FLAGS = ["--ignore-certificate-errors"];
const secret = randomBytes(16).toString("hex");
const relay = TURN_MISSING ? undefined : await TurnServer.start(secret);

if (relay) closeAtTheEnd(relay);

const options = (/** @type {string | undefined} */ url) => ({
  serverFlags: ["--allow-origin", "*", "--turn-url", `${url}`, "--turn-secret-file", `${relay?.secretFile}`],
  skip: TURN_MISSING,
});

for (const [transport, url] of [["UDP", relay?.udpUrl], ["TLS", relay?.tlsUrl]]) {
  scenario(
    `relayed over ${transport}: both hear each other, and no other way is used`,
    async ({ server, keep }) => {
      const open = async (/** @type {"alice" | "bob"} */ user, answers = false) => {
        const settings = { answers, iceTransportPolicy: /** @type {const} */ ("relay"), iceServers: await server.iceServers(user) };
        return keep(await EmbeddedPhone.open(server, user, settings, FLAGS));
      };
      const [alice, bob] = await Promise.all([open("alice"), open("bob", true)]);
      await alice.dial("bob");
      await Promise.all([alice.active(), bob.active()]);
      const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear()]);
      assertHears(toBob, voice("alice").sound, { absent: [voice("bob").sound], what: "what bob hears" });
      assertHears(toAlice, voice("bob").sound, { absent: [voice("alice").sound], what: "what alice hears" });
      assert.deepEqual(await alice.way(), ["relay", transport === "UDP" ? "udp" : "tls"]);
      await alice.perform("hangUp");
    },
    options(url),
  );
}

scenario(
  "credentials that the relay refuses, or that have expired: the call does not pretend, and the log says why",
  async ({ server, keep }) => {
    const [valid] = await server.iceServers("alice");
    const wrong = { ...valid, credential: "guessed" };
    const username = `${Math.floor(Date.now() / 1000) - 60}:alice`;
    const expired = { ...valid, username, credential: createHmac("sha1", secret).update(username).digest("base64") };
    for (const iceServer of [wrong, expired]) {
      const settings = { iceTransportPolicy: /** @type {const} */ ("relay"), iceServers: [iceServer] };
      const alice = keep(await EmbeddedPhone.open(server, "alice", settings, FLAGS));
      await alice.dial("bob");
      assert.equal(await alice.ended(), "media-failed");
      const [refusal] = (await alice.log()).filter((line) => line.includes("no candidate from turn:"));
      assert.match(refusal, /\b401\b/);
    }
  },
  options(relay?.udpUrl),
);
