// Several calls: who hears whom after each step, and what becomes of the first call when the second comes to nothing.

import { connect } from "../lib/app.mjs";
import { scenario } from "../lib/scenario.mjs";
import { assertTalk, assertWaits, everybody } from "../lib/several.mjs";

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

const merging = async ({ user }) => {
  const [alice, bob, carol] = await everybody(user);
  await connect(alice, bob);
  await carol.dial("bob");
  await bob.incoming(/carol/i);
  await bob.press("holdAndAnswer");
  await bob.held("alice", true);
  await bob.press("merge");
  return [alice, bob, carol];
};

scenario(
  "merging two calls here: the two hear each other, also when bob is muted and when he has left",
  async (stage) => {
    const [alice, bob, carol] = await merging(stage);
    await bob.page.getByTestId("conference").waitFor();
    await bob.press("mute");
    await assertTalk(alice, carol, [bob]);
    await bob.press("leave");
    await bob.idle();
    await Promise.all([alice.settled(), carol.settled()]);
    await assertTalk(alice, carol, [bob]);
  },
  { serverFlags: ["--no-conferences"] },
);

scenario("merging two calls on the platform: everybody is shown; bob sends carol away and leaves", async (stage) => {
  const [alice, bob, carol] = await merging(stage);
  for (const { page } of [alice, bob, carol]) await page.getByTestId("participants").getByRole("listitem").nth(2).waitFor();
  await bob.press("mute");
  await assertTalk(alice, carol, [bob]);
  await bob.page.getByTestId("participants").getByRole("button", { name: /remove carol/i }).click();
  await carol.idle();
  await bob.page.getByTestId("participants").getByRole("listitem").nth(2).waitFor({ state: "detached" });
  await bob.press("leave");
  await bob.idle();
});
