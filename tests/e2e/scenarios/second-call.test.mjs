// A call comes in while another is up.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";

scenario("the second caller is declined and the first call goes on", async ({ user }) => {
  const [alice, bob, carol] = await Promise.all([user("alice"), user("bob"), user("carol")]);
  await connect(alice, bob);
  await carol.dial("bob");
  await bob.incoming(/carol/i);
  await bob.press("decline");
  await carol.idle();
  assert.equal(await carol.endCause(), "rejected");
  assertHears(await bob.hear(), alice.voice, { absent: [carol.voice], what: "what bob still hears" });
});

scenario("End & answer: the first call ends, the second is up", async ({ user }) => {
  const [alice, bob, carol] = await Promise.all([user("alice"), user("bob"), user("carol")]);
  await connect(alice, bob);
  await carol.dial("bob");
  await bob.incoming(/carol/i);
  await bob.press("endAndAnswer");
  await Promise.all([alice.idle(), carol.active()]);
  assert.equal(await alice.endCause(), "remote-hang-up");
  assertHears(await bob.hear(), carol.voice, { absent: [alice.voice], what: "what bob hears now" });
  assertHears(await carol.hear(), bob.voice, { what: "what carol hears" });
});
