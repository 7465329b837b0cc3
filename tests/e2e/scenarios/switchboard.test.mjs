// Several calls: who hears whom after each step, and what becomes of the first call when the second comes to nothing.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { assertDoesNotHear, assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";

/** @typedef {import("../lib/app.mjs").AppUser} AppUser */

/** The two hear each other, and neither hears the others. @param {AppUser} one @param {AppUser} other @param {AppUser[]} others */
async function assertTalk(one, other, others) {
  const absent = others.map(({ voice }) => voice);
  const [toOne, toOther] = await Promise.all([one.hearAll(), other.hearAll()]);
  assertHears(toOne, other.voice, { absent, what: `what ${one.name} hears` });
  assertHears(toOther, one.voice, { absent, what: `what ${other.name} hears` });
}

/** Nobody's voice reaches somebody who waits. @param {AppUser} waiting @param {AppUser[]} others */
async function assertWaits(waiting, others) {
  const heard = await waiting.hearAll(2);
  for (const { voice, name } of others) assertDoesNotHear(heard, voice, `what ${waiting.name}, who waits, hears of ${name}`);
}

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
});

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
});

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
});

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
});

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
});

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
});
