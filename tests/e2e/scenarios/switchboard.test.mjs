// Several calls: who hears whom after each step, and what becomes of the first call when the second comes to nothing.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertDoesNotHear, assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

/** @typedef {import("../lib/app.mjs").AppUser} AppUser */

/**
 * The two hear each other, as soon as the sound has settled after the change, and neither hears the others then.
 * @param {AppUser} one @param {AppUser} other @param {AppUser[]} others
 */
async function assertTalk(one, other, others) {
  const talk = async () => {
    const [toOne, toOther] = await Promise.all([one.hearAll(), other.hearAll()]);
    assertHears(toOne, other.voice, { what: `what ${one.name} hears` });
    assertHears(toOther, one.voice, { what: `what ${other.name} hears` });
    return [toOne, toOther];
  };
  const heard = await eventually(`${one.name} and ${other.name} hear each other`, talk, { timeout: 30_000 });
  for (const sound of heard) for (const { voice, name } of others) assertDoesNotHear(sound, voice, `what is heard of ${name}`);
}

/** Nobody's voice reaches somebody who waits. @param {AppUser} waiting @param {AppUser[]} others */
async function assertWaits(waiting, others) {
  const heard = await waiting.hearAll(2);
  for (const { voice, name } of others) assertDoesNotHear(heard, voice, `what ${waiting.name}, who waits, hears of ${name}`);
}

/** Three browsers and several conversations take their time. */
const LONG = { timeout: 240_000 };

const everybody = (user) => Promise.all([user("alice"), user("bob"), user("carol")]);

scenario("Hold & answer, then swapping: only the one at the ear is heard", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await carol.dial("bob");
  await bob.incoming(/carol/i);
  await bob.press("holdAndAnswer");
  await bob.held("carol", false);
  await Promise.all([bob.held("alice", true), carol.active()]);
  await assertTalk(bob, carol, [alice]);
  await assertWaits(alice, [bob, carol]);

  await bob.press("swap");
  await bob.held("carol", true);
  await bob.held("alice", false);
  await assertTalk(bob, alice, [carol]);
  await assertWaits(carol, [alice, bob]);
}, LONG);

scenario("somebody is called as well while the first waits; a second call that is declined gives the first back", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.add("carol");
  await carol.incoming(/alice/i);
  await alice.held("bob", true);
  await carol.press("decline");
  await alice.held("bob", false);
  await assertTalk(alice, bob, [carol]);

  await alice.add("carol");
  await carol.incoming(/alice/i);
  await carol.answer();
  await alice.held("carol", false);
  await assertTalk(alice, carol, [bob]);
  await assertWaits(bob, [alice, carol]);
}, LONG);

scenario("transfer at once: bob and carol talk, alice is gone", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.transfer("carol", "transferNow");
  await carol.incoming(/bob/i);
  await carol.answer();
  await alice.idle();
  assert.equal(await alice.endCause(), "transferred");
  await Promise.all([bob.settled(), carol.settled()]);
  await assertTalk(bob, carol, [alice]);
  assert.deepEqual(await alice.connections(), [], "alice carries no media any more");
}, LONG);

scenario("transfer after asking: alice speaks with carol first, then bob and carol talk and alice is gone", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.transfer("carol", "askFirst");
  await carol.incoming(/alice/i);
  await carol.answer();
  await alice.held("carol", false);
  await alice.held("bob", true);
  await assertTalk(alice, carol, [bob]);

  await alice.press("completeTransfer");
  await alice.idle();
  assert.equal(await alice.endCause(), "transferred");
  await Promise.all([bob.settled(), carol.settled()]);
  await carol.card("bob").and(carol.cards("active")).waitFor();
  await bob.card("carol").and(bob.cards("active")).waitFor();
  await assertTalk(bob, carol, [alice]);
}, LONG);

scenario("by keyboard alone: asking, swapping, transferring", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.page.keyboard.press("t");
  await alice.page.keyboard.type("carol");
  await alice.page.keyboard.press("Shift+Enter");
  await carol.incoming(/alice/i);
  await carol.answer();
  await alice.held("carol", false);
  await alice.page.keyboard.press("s");
  await alice.held("bob", false);
  await alice.held("carol", true);
  await assertTalk(alice, bob, [carol]);

  await alice.page.keyboard.press("l");
  await alice.page.locator(".chosen").getByText(/carol/i).waitFor();
  await alice.page.keyboard.press("Enter");
  await alice.held("carol", false);
  await alice.page.keyboard.press("t");
  await alice.idle();
  await Promise.all([bob.settled(), carol.settled()]);
  await assertTalk(bob, carol, [alice]);
}, LONG);

scenario("whoever was asked does not want to: the caller is back", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.transfer("carol", "askFirst");
  await carol.incoming(/alice/i);
  await carol.answer();
  await alice.held("carol", false);
  await alice.press("cancel");
  await Promise.all([alice.held("bob", false), carol.idle()]);
  await assertTalk(alice, bob, [carol]);
}, LONG);

scenario("a transfer that is declined: the caller is back, and the card says why", async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await alice.transfer("carol", "transferNow");
  await carol.incoming(/bob/i);
  await carol.press("decline");
  await alice.page.getByTestId("transfer-failed").waitFor();
  await alice.says(/not transferred to carol.*declined/i);
  await alice.says(/talking to bob .*again/i);
  await alice.held("bob", false);
  await Promise.all([alice.settled(), bob.settled()]);
  await assertTalk(alice, bob, [carol]);
}, LONG);

scenario(
  "a phone that asks its user before it is sent on: it stays, and then it goes",
  async ({ user, server, keep }) => {
    const [alice, carol] = await Promise.all([user("alice"), user("carol")]);
    const bob = keep(await EmbeddedPhone.open(server, "bob", { answers: true, transferPolicy: "ask" }));
    const isAsked = () => eventually("bob is asked", async () => (await bob.state()).calls[0]?.transferRequest);
    await alice.dial("bob");
    await Promise.all([alice.active(), bob.active()]);
    await alice.transfer("carol", "transferNow");
    assert.equal((await isAsked()).attended, false);
    await bob.perform("declineTransfer");
    await alice.page.getByTestId("transfer-failed").waitFor();
    await alice.held("bob", false);
    assert.equal(await carol.liveCalls(), 0, "carol was never called");

    await alice.transfer("carol", "transferNow");
    await isAsked();
    await bob.perform("acceptTransfer");
    await carol.incoming(/bob/i);
    await carol.answer();
    await alice.idle();
    assertHears(await carol.hear(), voice("bob").sound, { absent: [alice.voice], what: "what carol hears" });
  },
  { ...LONG, serverFlags: ["--allow-origin", "*"] },
);
