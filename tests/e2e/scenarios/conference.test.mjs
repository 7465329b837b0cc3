// Three people in a conference that one of them mixes in her browser, and the music for those who wait.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { ABSENT, assertDoesNotHear, assertHearsOnly, assertMelody, match } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

const [aliceVoice, bobVoice, carolVoice] = [voice("alice").sound, voice("bob").sound, voice("carol").sound];

/** Alice's calls to Bob and to Carol, in this order. */
const command = (phone, which, method) => phone.page.evaluate(([at, name]) => window.phone.callById(window.phone.state.calls[at].id)[name](), [which, method]);
const merge = (phone) => phone.page.evaluate(() => window.phone.merge(window.phone.state.calls[1].id, window.phone.state.calls[0].id));
const conferences = async (phone) => (await phone.state()).calls.map(({ conference }) => conference);

/** Waits until all calls of a phone are up and their audio flows. */
function allActive(phone, count) {
  return eventually(`${count} calls are up`, async () => {
    const { calls } = await phone.state();
    return calls.length === count && calls.every(({ state, media }) => state === "active" && media === "connected");
  });
}

scenario(
  "music on hold, a conference mixed here, private talks, and back",
  async ({ server, keep }) => {
    const alice = keep(await EmbeddedPhone.open(server, "alice"));
    const bob = keep(await EmbeddedPhone.open(server, "bob", { answers: true }));
    const carol = keep(await EmbeddedPhone.open(server, "carol", { answers: true }));
    await alice.dial("bob");
    await Promise.all([alice.active(), bob.active()]);

    // Bob waits, also while Alice's microphone is off.
    await command(alice, 0, "mute");
    await command(alice, 0, "hold");
    const waiting = await bob.hear(4);
    assertMelody(waiting, "what bob hears on hold");
    assertDoesNotHear(waiting, aliceVoice, "what bob hears on hold");
    await command(alice, 0, "unmute");

    await alice.dial("carol");
    await Promise.all([allActive(alice, 2), carol.active()]);
    await merge(alice);
    const [one, other] = await conferences(alice);
    assert.ok(one !== null && one === other, "both calls are one conference");

    // Everybody speaks all the time: with one silent after the other, each pair is looked at on its own.
    await command(alice, 0, "mute");
    await command(alice, 1, "mute");
    await Promise.all([
      assertHearsOnly(bob, carolVoice, [aliceVoice, bobVoice], "what bob hears of carol"),
      assertHearsOnly(carol, bobVoice, [aliceVoice, carolVoice], "what carol hears of bob"),
    ]);
    await command(alice, 0, "unmute");
    await command(alice, 1, "unmute");
    await carol.perform("mute");
    await assertHearsOnly(bob, aliceVoice, [bobVoice, carolVoice], "what bob hears of alice");
    await carol.perform("unmute");
    await bob.perform("mute");
    await assertHearsOnly(carol, aliceVoice, [bobVoice, carolVoice], "what carol hears of alice");
    await bob.perform("unmute");
    const together = await bob.hear(5);
    // Each of two voices at once is about half of what is heard.
    for (const sound of [aliceVoice, carolVoice]) {
      const { score } = match(together, sound);
      assert.ok(score >= ABSENT, `what bob hears has both of the others (score ${score.toFixed(2)})`);
    }
    assertDoesNotHear(together, bobVoice, "what bob hears");

    // A private talk with Carol, and a conference again.
    await command(alice, 1, "split");
    assertMelody(await bob.hear(4), "what bob hears during the private talk");
    await assertHearsOnly(carol, aliceVoice, [bobVoice, carolVoice], "what carol hears in private");
    assert.deepEqual(await conferences(alice), [null, null]);
    await merge(alice);

    // Whoever hangs up leaves an ordinary call.
    await bob.perform("hangUp");
    await allActive(alice, 1);
    assert.deepEqual(await conferences(alice), [null]);
    await assertHearsOnly(carol, aliceVoice, [bobVoice, carolVoice], "what carol hears in the end");
    await assertHearsOnly(alice, carolVoice, [aliceVoice, bobVoice], "what alice hears in the end");
    assert.deepEqual([...alice.errors, ...bob.errors, ...carol.errors], []);
  },
  { serverFlags: ["--allow-origin", "*"], timeout: 240_000 },
);
