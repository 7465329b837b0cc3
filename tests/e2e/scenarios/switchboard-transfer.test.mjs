// Connecting the far end with somebody else: afterwards the two talk, and this side is gone.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { scenario } from "../lib/scenario.mjs";
import { assertTalk, everybody } from "../lib/several.mjs";

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
});
