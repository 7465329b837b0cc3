// Hold is what the other side was told, not what a button claims.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { assertDoesNotHear, assertHears, assertMelody } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually } from "../lib/wait.mjs";

scenario("hold: music instead of the microphone, and the peer shows held; resume: both hear again", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("hold");
  await alice.button("Resume").waitFor();
  await alice.says(/on hold/i);
  await bob.says(/(on hold|holds|held)/i);

  await assertSendsNoVoice(alice);
  const heard = await bob.hear(4);
  assertMelody(heard, "what bob hears on hold");
  assertDoesNotHear(heard, alice.voice, "what bob hears on hold");

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

/** No peer connection carries an open microphone. */
async function assertSendsNoVoice(user) {
  await eventually(`${user.name} sends no microphone`, async () => {
    const open = await user.connections();
    return open.length > 0 && !open.some(({ senders }) => senders.some(({ carriesMicrophone }) => carriesMicrophone));
  });
}
