// A call goes from one of alice's devices to another, and bob talks on.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { JsSipPeer } from "../lib/jssip.mjs";
import { installGapMeter, silences } from "../lib/gap.mjs";
import { assertHears } from "../lib/listen.mjs";
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

/** Something that calls itself a browser and a system. @param {string} userAgent */
const named = (userAgent) => (/** @type {import("playwright-core").Page} */ page) =>
  page.addInitScript((name) => Object.defineProperty(navigator, "userAgent", { get: () => name }), userAgent);

/** Sends the call at the ear to the device of this name. @param {import("../lib/app.mjs").AppUser} user @param {string} device */
async function moveTo(user, device) {
  await user.press("transfer");
  await user.page.getByRole("group", { name: /to my other device/i }).getByRole("button", { name: device }).click();
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
  await desk.page.locator("main").focus();
  await desk.page.keyboard.press("d");
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
  await desk.page.locator("main").focus();
  await desk.page.keyboard.press("d");
  await laptop.incoming(/bob/i);
  await laptop.press("decline");
  await desk.says(/not transferred to your other devices/i);
  await desk.held("bob", false);
  await Promise.all([desk.settled(), bob.settled()]);
  await assertTalk(desk, bob, [laptop]);
});

scenario("push to one device: only that one rings; it declines and bob is back, then it answers and has the call", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  // They come later than the call: the platform is asked for them when they are to be chosen from.
  const [edge, phone] = await Promise.all([
    user("alice", { prepare: named("Edg/1 Windows") }),
    user("alice", { prepare: named("Firefox/1 Android") }),
  ]);
  await moveTo(desk, "Edge, Windows");
  await edge.incoming(/bob/i);
  for (const other of [desk, laptop, phone]) assert.equal(await other.cards("incoming").count(), 0, "no other device rings");
  await edge.press("decline");
  await desk.says(/not transferred to Edge, Windows/i);
  await desk.held("bob", false);

  await moveTo(desk, "Edge, Windows");
  await edge.incoming(/bob/i);
  await edge.answer();
  await desk.idle();
  assert.equal(await desk.endCause(), "transferred");
  await Promise.all([bob.settled(), edge.settled()]);
  await assertTalk(edge, bob, [desk]);
  await phone.idle();
});

scenario("push to a device that has gone meanwhile: bob is back, and that is said", async ({ user }) => {
  const [desk, laptop, bob] = await twoDevices(user);
  await connect(desk, bob);
  await desk.press("transfer");
  const there = desk.page.getByRole("group", { name: /to my other device/i }).getByRole("button", { name: "Chrome, Linux" });
  await there.waitFor();
  await laptop.close();
  await there.click();
  await desk.says(/not transferred to Chrome, Linux/i);
  await desk.held("bob", false);
  await Promise.all([desk.settled(), bob.settled()]);
  await assertTalk(desk, bob, [laptop]);
});

const PEERS = { serverFlags: ["--allow-origin", "*"] };

/** Alice's desk talks to bob, whose phone is JsSIP; her laptop shows that. @param {import("../lib/scenario.mjs").Stage} stage @param {object} options */
async function deskTalksToJsSip({ server, user, keep }, options) {
  const account = { server: server.sipUrl, uri: `sip:bob@${server.domain}`, password: "demo", answers: true };
  const [desk, laptop, bob] = await Promise.all([
    user("alice", { voice: voice("carol") }),
    user("alice"),
    JsSipPeer.open("bob", { ...account, ...options }).then(keep),
  ]);
  await desk.dial("102");
  await bob.happened("confirmed");
  await desk.active();
  await elsewhere(laptop).getByText("Bob").waitFor();
  return { desk, laptop, bob };
}

/** The call did not come here, which is said, and is where it was. */
async function stayed({ desk, laptop, bob }) {
  await laptop.says(/could not be taken over/i);
  await laptop.idle();
  await desk.held("bob", false);
  assert.equal(await desk.liveCalls(), 1);
  assertHears(await bob.hear(3), voice("carol").sound, { absent: [voice("alice").sound], what: "what bob hears" });
}

scenario(
  "pull that the far end does not agree to: the call stays at the desk, and the laptop says so",
  async (stage) => {
    const people = await deskTalksToJsSip(stage, { replaceable: false });
    await people.laptop.press("pull");
    await people.bob.happened("replaces");
    await stayed(people);
    await elsewhere(people.laptop).getByText("Bob").waitFor();
  },
  PEERS,
);

scenario(
  "pull of a call that its far end has ended already, as nobody knows yet (481): no call comes of it, and that is said",
  async (stage) => {
    const people = await deskTalksToJsSip(stage, {});
    await people.bob.perform("forgetCalls");
    await people.laptop.press("pull");
    await stayed(people);
  },
  PEERS,
);
