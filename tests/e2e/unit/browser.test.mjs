// The instruments themselves, without the product: two JsSIP phones in two browsers with different microphones,
// through Kamailio. If this fails, no verdict of a scenario means anything.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowsers } from "../lib/chromium.mjs";
import { JsSipPeer } from "../lib/jssip.mjs";
import { KAMAILIO_MISSING, Kamailio } from "../lib/kamailio.mjs";
import { assertHears, assertKeysArrive, assertSilent } from "../lib/listen.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

after(closeBrowsers);

test("two phones nobody here wrote hear each other", { skip: KAMAILIO_MISSING, timeout: 60_000 }, async (t) => {
  const kamailio = await Kamailio.start("demo");
  t.after(() => kamailio.close());
  const peer = async (name, more) => {
    const uri = `sip:${name}@${kamailio.domain}`;
    const opened = await JsSipPeer.open(name, { server: kamailio.sipUrl, uri, password: "demo", ...more });
    t.after(() => opened.close());
    return opened;
  };
  const bob = await peer("bob", { answers: true });
  const alice = await peer("alice");

  await alice.call(`sip:bob@${kamailio.domain}`);
  await alice.happened("confirmed");
  await bob.happened("confirmed");
  const connected = async (who) => (await who.page.evaluate(() => window.__tap.connections()))[0]?.state === "connected";
  await eventually("both peer connections are up", async () => (await connected(alice)) && connected(bob));

  const [toAlice, toBob] = await Promise.all([alice.hear(3), bob.hear(3)]);
  const [aliceVoice, bobVoice] = [voice("alice").sound, voice("bob").sound];
  const forward = assertHears(toBob, aliceVoice, { absent: [bobVoice], what: "what bob hears" });
  const back = assertHears(toAlice, bobVoice, { absent: [aliceVoice], what: "what alice hears" });
  t.diagnostic(`scores ${forward.score.toFixed(2)} and ${back.score.toFixed(2)}`);

  await alice.page.evaluate(() => window.peer.session.mute({ audio: true }));
  await eventually("silence has travelled", async () => silent(await bob.hear(0.6)));
  await assertKeysArrive("159#", () => bob.hear(6, () => alice.press("159#")));

  await alice.perform("hangUp");
  await bob.happened("ended: remote Terminated");
  const microphones = await alice.page.evaluate(() => window.__tap.microphones());
  assert.equal(microphones.open, 0, "JsSIP closes its microphone");
});

function silent(sound) {
  assertSilent(sound);
  return true;
}
