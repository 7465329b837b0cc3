// Transfers that somebody does not want: this side is as it was before, and knows why.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { assertTalk, everybody } from "../lib/several.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

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
  { serverFlags: ["--allow-origin", "*"] },
);
