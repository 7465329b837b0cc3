// Hold is what the other side was told, not what a button claims.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { assertHears, assertSilent } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually, passed } from "../lib/wait.mjs";

scenario("hold: the microphone is gone and the peer shows held; resume: both hear again", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("hold");
  await alice.button("Resume").waitFor();
  await alice.says(/on hold/i);
  await bob.says(/(on hold|holds|held)/i);

  await assertSendsNoVoice(alice);
  const heard = await recordOrNothing(bob);
  if (heard) assertSilent(heard, "what bob hears on hold");
  const before = (await bob.connections())[0].sent.packets;
  await passed(1000);
  const sent = (await bob.connections())[0].sent.packets - before;
  assert.ok(sent <= 2, `the held side sent ${sent} audio packets in a second`);

  await alice.press("resume");
  await alice.button("Hold").waitFor();
  const [toAlice, toBob] = await Promise.all([alice.hear(4), bob.hear(4)]);
  assertHears(toBob, alice.voice, { absent: [bob.voice], what: "what bob hears after resume" });
  assertHears(toAlice, bob.voice, { absent: [alice.voice], what: "what alice hears after resume" });
});

scenario("both hold and both resume, in any order", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("hold");
  await alice.button("Resume").waitFor();
  await bob.press("hold");
  await bob.button("Resume").waitFor();
  await alice.press("resume");
  await alice.button("Hold").waitFor();
  await assertSendsNoVoice(bob);
  await bob.press("resume");
  await bob.button("Hold").waitFor();
  const [toAlice, toBob] = await Promise.all([alice.hear(4), bob.hear(4)]);
  assertHears(toBob, alice.voice, { what: "what bob hears in the end" });
  assertHears(toAlice, bob.voice, { what: "what alice hears in the end" });
});

/** No peer connection carries an open microphone, and what is encoded is silence (sent so that no middle box forgets us). */
async function assertSendsNoVoice(user) {
  const quiet = ({ senders, level }) => level === 0 && !senders.some(({ carriesMicrophone }) => carriesMicrophone);
  await eventually(`${user.name} sends no microphone`, async () => {
    const open = await user.connections();
    return open.length > 0 && open.every(quiet);
  });
}

/** A held side may have no live track at all. */
async function recordOrNothing(user) {
  try {
    return await user.hear(2);
  } catch {
    return null;
  }
}
