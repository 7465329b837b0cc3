// The main job: two people talk.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { assertHears, assertSilent, match } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually } from "../lib/wait.mjs";

scenario("alice calls bob and both hear each other, nobody hears themselves", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear()]);
  assertHears(toBob, alice.voice, { absent: [bob.voice], what: "what bob hears" });
  assertHears(toAlice, bob.voice, { absent: [alice.voice], what: "what alice hears" });
});

scenario("bob dials alice's number, alice hangs up, both say the same end", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await bob.dial("101");
  await alice.incoming(/bob/i);
  await alice.answer();
  await bob.active();
  await alice.press("end");
  await Promise.all([alice.idle(), bob.idle()]);
  const ends = await Promise.all([alice.endCause(), bob.endCause()]);
  assert.deepEqual(ends, ["local-hang-up", "remote-hang-up"]);
});

scenario("the called side hangs up as well, and a second call follows", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await bob.press("end");
  await Promise.all([alice.idle(), bob.idle()]);
  assert.deepEqual(await Promise.all([alice.endCause(), bob.endCause()]), ["remote-hang-up", "local-hang-up"]);
  await connect(bob, alice);
  assertHears(await alice.hear(), bob.voice, { what: "what alice hears in the second call" });
});

scenario("no microphone is open without a call, before and after", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  assert.deepEqual(await alice.microphones(), { open: 0, enabled: 0, requests: 0 });
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  assert.equal((await bob.microphones()).open, 0, "a ringing phone does not listen");
  await bob.answer();
  await alice.active();
  assert.ok((await alice.microphones()).open >= 1);
  await alice.press("end");
  for (const one of [alice, bob]) {
    await eventually(`${one.name}'s microphone is closed`, async () => (await one.microphones()).open === 0);
  }
});

scenario("one person alone calls the echo and hears themselves, later", async ({ user }) => {
  const alice = await user("alice");
  await alice.dial("600");
  await alice.active();
  await eventually("the echo has started", async () => match(await alice.hear(1.5), alice.voice).score > 0.5);
  assertHears(await alice.hear(4), alice.voice, { what: "the echo" });
  await alice.press("end");
  await alice.idle();
});

scenario("muted is silence at the other end, and speaking again is heard", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  assertHears(await bob.hear(), alice.voice, { what: "before" });
  await alice.press("mute");
  await alice.button("Unmute").waitFor();
  await eventually("silence has travelled", async () => {
    assertSilent(await bob.hear(0.6));
    return true;
  });
  assertSilent(await bob.hear(2), "what bob hears while alice is muted");
  const [sent] = await alice.connections();
  assert.equal(sent.level, 0, "the sound that is encoded is zero");
  assertHears(await alice.hear(), bob.voice, { what: "what the muted alice hears" });
  await alice.press("unmute");
  await alice.button("Mute").waitFor();
  assertHears(await bob.hear(), alice.voice, { what: "after" });
});
