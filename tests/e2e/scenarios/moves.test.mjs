// A call goes from one of alice's devices to another, and bob talks on.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { installGapMeter, silences } from "../lib/gap.mjs";
import { scenario } from "../lib/scenario.mjs";
import { assertTalk } from "../lib/several.mjs";
import { voice } from "../lib/speech.mjs";

const MOST_SILENCE_MS = 1_000;

/** @param {import("playwright-core").Page} page */
const metered = (page) => page.addInitScript(installGapMeter);

/**
 * Alice at her desk, with another voice so that it is known from which device she is heard, and with her laptop; and bob.
 * @param {import("../lib/scenario.mjs").Stage["user"]} user
 */
async function twoDevices(user) {
  const [desk, laptop, bob] = await Promise.all([
    user("alice", { voice: voice("carol") }),
    user("alice", { prepare: metered }),
    user("bob", { prepare: metered }),
  ]);
  desk.voice = voice("carol").sound;
  return [desk, laptop, bob];
}

/** Waits for the card of a call that another device has. @param {import("../lib/app.mjs").AppUser} user */
const elsewhere = (user) => user.page.getByRole("group", { name: /on your other device/i });

scenario("pull: bob and alice's laptop talk, her desk is out, and bob has heard no second of silence", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  await assertTalk(desk, bob, [laptop]);
  await elsewhere(laptop).getByText("Bob").waitFor();

  const [silence] = await silences(
    [bob],
    async () => {
      await laptop.press("pull");
      await Promise.all([laptop.active(), desk.idle()]);
      await Promise.all([laptop.settled(), bob.settled()]);
    },
    { atLeast: 0 },
  );
  console.log(`silence for the far end of a call that is pulled: ${Math.round(silence)} ms`);
  assert.ok(silence < MOST_SILENCE_MS, `bob heard nothing for ${Math.round(silence)} ms`);
  assert.equal(await desk.endCause(), "answered-elsewhere", "the desk knows that the call goes on");
  await desk.says("Goes on on your other device");
  await assertTalk(laptop, bob, [desk]);
  assert.deepEqual(await desk.connections(), [], "the desk carries no media any more");
  await elsewhere(desk).getByText("Bob").waitFor();
  assert.equal(await elsewhere(laptop).count(), 0, "the laptop offers no call that it has itself");
});

scenario("pull by keyboard, with another call here: that one waits", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  await elsewhere(laptop).waitFor();
  await laptop.dial("600");
  await laptop.active();
  await laptop.page.locator("main").focus();
  await laptop.page.keyboard.press("p");
  await laptop.held("bob", false);
  await laptop.held("echo", true);
  await desk.idle();
  await assertTalk(laptop, bob, [desk]);
});

scenario("push: alice's laptop rings with bob, answers, and her desk is out", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  await desk.press("transfer");
  await desk.press("push");
  await laptop.incoming(/bob/i);
  assert.equal(await desk.cards("incoming").count(), 0, "the device that sends the call does not ring itself");
  await laptop.answer();
  await desk.idle();
  assert.equal(await desk.endCause(), "transferred");
  await Promise.all([bob.settled(), laptop.settled()]);
  await assertTalk(laptop, bob, [desk]);
});

scenario("push that nobody takes: bob is back, and that is said", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  await desk.press("transfer");
  await desk.press("push");
  await laptop.incoming(/bob/i);
  await laptop.press("decline");
  await desk.says(/not transferred to your other devices/i);
  await desk.held("bob", false);
  await Promise.all([desk.settled(), bob.settled()]);
  await assertTalk(desk, bob, [laptop]);
});
