// What kills a call in other phones: the network changes, the page is reloaded or crashes, its window is closed, the
// machine sleeps, the server falls silent. How long all that takes is measured by `cargo xtask bench survival`.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { installGapMeter, silences } from "../lib/gap.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually, passed } from "../lib/wait.mjs";

/** The worst that is promised for a network change, in ms. */
const WORST_MS = 5_000;

const measured = { prepare: (page) => page.addInitScript(installGapMeter) };

async function assertTalking(alice, bob, when) {
  await Promise.all([alice.settled(), bob.settled()]);
  const [toAlice, toBob] = await Promise.all([alice.hear(2), bob.hear(2)]);
  assertHears(toBob, alice.voice, { what: `what bob hears ${when}` });
  assertHears(toAlice, bob.voice, { what: `what alice hears ${when}` });
}

scenario(
  "the network changes in a call: cable pulled, then another address; the far end's hold works right after",
  async ({ network, user }) => {
    const [alice, bob] = await Promise.all([user("alice", measured), user("bob", measured)]);
    const [cable, radio] = network.alice.uplinks;
    await connect(alice, bob);
    const pulled = await silences([alice, bob], () => cable.disconnect());
    const switched = await silences([alice, bob], () => {
      radio.disconnect();
      cable.connect();
    });
    assert.ok(Math.max(...pulled, ...switched) < WORST_MS, `silent for ${[...pulled, ...switched].map(Math.round)} ms`);
    await bob.press("hold");
    await alice.says("The other side has put you on hold");
    await bob.press("resume");
    await bob.button("Hold").waitFor();
    await assertTalking(alice, bob, "on the other network");
  },
  { network: true },
);

scenario("no network for a while: the call says so, and goes on when there is one again", async ({ network, user }) => {
  const [alice, bob] = await Promise.all([user("alice", measured), user("bob", measured)]);
  const [cable, radio] = network.alice.uplinks;
  await connect(alice, bob);
  await silences([alice, bob], async () => {
    radio.disconnect();
    cable.disconnect();
    await alice.says("Reconnecting audio …");
    await alice.says("No network. Your call is kept for now");
    await bob.says("Reconnecting audio …");
    radio.connect();
  });
  await assertTalking(alice, bob, "afterwards");
  await alice.registered();
}, { network: true });

scenario("the page is reloaded in a call: the voices come back, and bob has not been hung up on", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice", measured), user("bob", measured)]);
  await connect(alice, bob);
  const call = await callId(bob);
  const reload = () => alice.page.reload().then(() => alice.active());
  const silent = await silences([bob], reload, { atLeast: 0 });
  assert.ok(Math.max(...silent) < 3_000, `bob heard nothing for ${silent} ms`);
  await assertTalking(alice, bob, "after the reload");
  assert.equal(await callId(bob), call, "it is the same call");
  await alice.press("end");
  await Promise.all([alice.idle(), bob.idle()]);
});

scenario("the page crashes in a call: opened again, it has the call; so has another window at once", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice", measured), user("bob", measured)]);
  await connect(alice, bob);
  const call = await callId(bob);
  await alice.crash();
  await alice.reopen();
  await assertTalking(alice, bob, "in the page opened again");
  const second = await alice.newWindow();
  await second.registered();
  await alice.crash();
  await second.settled();
  assertHears(await second.hear(2), bob.voice, { what: "what the other window hears" });
  assertHears(await bob.hear(2), alice.voice, { what: "what bob hears of the other window" });
  assert.equal(await callId(bob), call, "it is the same call");
});

scenario("the window with the audio is closed while another is open: the call moves", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice", measured), user("bob", measured)]);
  const second = await alice.newWindow();
  await second.registered();
  await connect(alice, bob);
  const close = () => alice.page.close().then(() => second.active());
  const silent = await silences([bob], close, { atLeast: 0 });
  assert.ok(Math.max(...silent) < 3_000, `bob heard nothing for ${silent} ms`);
  await second.settled();
  assertHears(await second.hear(2), bob.voice, { what: "what the other window hears" });
  await second.press("end");
  await bob.idle();
});

scenario("all windows closed in a call: kept for half a minute, then ended properly, and alice is signed off", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.newWindow("about:blank");
  await alice.page.close();
  const closed = performance.now();
  await bob.page.locator("[data-end-cause]").waitFor({ timeout: 45_000 });
  const kept = performance.now() - closed;
  assert.ok(kept > 28_000 && kept < 40_000, `kept for ${kept} ms`);
  assert.equal(await bob.endCause(), "remote-hang-up");
  await eventually("alice cannot be called any more", async () => {
    await bob.dial("alice");
    await bob.idle();
    return (await bob.endCause()) === "unavailable";
  });
});

scenario("the machine sleeps in a call: awake again it is registered within seconds, and the call goes on", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice", { ...measured, alone: true }), user("bob", measured)]);
  await connect(alice, bob);
  const processes = await alice.browser.processes();
  await silences([alice, bob], async () => {
    for (const id of processes) process.kill(id, "SIGSTOP");
    // Longer than the keep-alive of a call.
    await passed(12_000);
    for (const id of processes) process.kill(id, "SIGCONT");
  });
  await alice.registered(4_000);
  await assertTalking(alice, bob, "after waking up");
  await bob.press("hold");
  await alice.says("The other side has put you on hold");
});

scenario("the server falls silent in a call: noticed within ten seconds, and the voices go on", async ({ server, user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  server.freeze();
  const frozen = performance.now();
  await alice.notRegistered();
  const noticed = performance.now() - frozen;
  assert.ok(noticed < 10_000, `noticed after ${noticed} ms`);
  await alice.says("Your call goes on");
  await assertTalking(alice, bob, "without a server");
  server.goOn();
  await Promise.all([alice.registered(60_000), bob.registered(60_000)]);
  await bob.press("hold");
  await alice.says("The other side has put you on hold");
});

/** The phone's name of the only call. @param {import("../lib/app.mjs").AppUser} user */
async function callId(user) {
  return user.cards("active").getAttribute("data-call-id");
}
