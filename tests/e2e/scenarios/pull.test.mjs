// The phone package alone: a call of alice's goes from one of her devices to the other. How long that is silent is
// measured at both ends; and what happens when it cannot go.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertDoesNotHear, assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { forgetSilence, hearsAgain, silenceAt } from "../lib/silence.mjs";
import { SipProbe } from "../lib/sip.mjs";
import { fluent } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

const MOST_SILENCE_MS = 1_000;
/** How often the call goes there and back, for the figures. */
const ROUNDS = 3;
const options = { serverFlags: ["--allow-origin", "*"], timeout: 170_000 };

/** Alice's desk, with another voice; her laptop; and bob, who answers. Nobody pauses. @param {"shared-worker" | "worker" | "page"} [host] */
async function people({ server, keep }, host = "shared-worker") {
  const mine = { host, remoteCalls: true };
  const phones = await Promise.all([
    EmbeddedPhone.open(server, "alice", { ...mine, speaker: fluent("carol") }),
    EmbeddedPhone.open(server, "alice", { ...mine, speaker: fluent("alice") }),
    EmbeddedPhone.open(server, "bob", { host, answers: true, speaker: fluent("bob") }),
  ]);
  return phones.map(keep);
}

async function connect(caller, callee) {
  await caller.dial("bob");
  await Promise.all([caller.active(), callee.active()]);
}

/** The two hear each other and not `old`, which is out. */
async function assertMoved(fresh, bob, old) {
  await old.idle();
  await Promise.all([fresh.settled(), bob.settled()]);
  const talk = async () => {
    const [toFresh, toBob] = await Promise.all([fresh.hear(), bob.hear()]);
    assertHears(toFresh, bob.voice, { what: "what the new device hears" });
    assertHears(toBob, fresh.voice, { what: "what bob hears" });
    return toBob;
  };
  // A busy machine stretches the first words until its jitter buffers have found their depth.
  const toBob = await eventually("bob and the new device hear each other", talk, { timeout: 30_000 });
  assertDoesNotHear(toBob, old.voice, "what is heard of the old device");
  assert.deepEqual(await old.page.evaluate(() => window.__tap.connections()), [], "the old device carries no media any more");
}

/**
 * Does what moves the call from `old` to `fresh` and gives for how long bob, and for how long alice, heard nothing, in ms.
 * Bob's is the longest silence in what he hears, by the clock of his sound; alice's is the time between the last sound at the
 * old device and the first at the new one. Both are told by the audio threads, so that a page that is kept busy does not matter.
 */
async function gaps(old, fresh, bob, move) {
  await Promise.all([old, fresh, bob].map(forgetSilence));
  await move();
  const [atBob, atFresh, atOld] = [await hearsAgain(bob), await hearsAgain(fresh), await silenceAt(old)];
  return { bob: Math.round(atBob.longest * 1000), alice: Math.max(0, atFresh.first - atOld.last) };
}

function assertShort(what, measured) {
  for (const side of ["bob", "alice"]) {
    const sorted = measured.map((gap) => gap[side]).sort((a, b) => a - b);
    console.log(`${what}: ${side} hears nothing for ${sorted[Math.floor((sorted.length - 1) / 2)]} ms (median), ${sorted.at(-1)} ms (worst of ${sorted.length})`);
    assert.ok(sorted.every((ms) => ms < MOST_SILENCE_MS), `${what}: too long a silence in ${JSON.stringify(measured)}`);
  }
}

for (const host of /** @type {const} */ (["shared-worker", "worker", "page"])) {
  scenario(`pull, signalling in ${host}: there and back, and nobody hears a second of silence`, async (stage) => {
    const [desk, laptop, bob] = await people(stage, host);
    await connect(desk, bob);
    const measured = [];
    let [old, fresh] = [desk, laptop];
    for (let round = 0; round < 2 * ROUNDS; round += 1) {
      const { id, remote } = await fresh.elsewhere();
      assert.equal(remote.user, "bob");
      const pulled = async () => {
        assert.equal(await fresh.pull(id), null);
        await Promise.all([fresh.active(), old.idle()]);
      };
      measured.push(await gaps(old, fresh, bob, pulled));
      if (round < 2) await assertMoved(fresh, bob, old);
      [old, fresh] = [fresh, old];
    }
    assertShort(`pull (${host})`, measured);
  }, options);
}

scenario("push: the other device rings and answers, and nobody hears a second of silence", async (stage) => {
  const [desk, laptop, bob] = await people(stage);
  await connect(desk, bob);
  const measured = [];
  let [old, fresh] = [desk, laptop];
  for (let round = 0; round < ROUNDS; round += 1) {
    const pushed = old.perform("push");
    await eventually("it rings", async () => (await fresh.state()).calls.some(({ state }) => state === "incoming"));
    assert.equal((await old.state()).calls.length, 1, "the device that pushes does not ring itself");
    const answered = async () => {
      await fresh.perform("answer");
      await pushed;
      await Promise.all([fresh.active(), old.idle()]);
    };
    measured.push(await gaps(old, fresh, bob, answered));
    await assertMoved(fresh, bob, old);
    [old, fresh] = [fresh, old];
  }
  assertShort("push", measured);
}, options);

scenario("two devices pull at once: one has the call, the other none and says why, bob has one", async (stage) => {
  const [desk, laptop, bob] = await people(stage);
  const tablet = stage.keep(await EmbeddedPhone.open(stage.server, "alice", { remoteCalls: true }));
  await connect(desk, bob);
  const seen = await Promise.all([laptop.elsewhere(), tablet.elsewhere()]);
  const failures = await Promise.all([laptop.pull(seen[0].id), tablet.pull(seen[1].id)]);
  const [winner, loser] = failures[0] === null ? [laptop, tablet] : [tablet, laptop];
  const failure = failures.find((it) => it !== null);
  assert.equal(failures.filter((it) => it === null).length, 1, `one wins: ${JSON.stringify(failures)}`);
  assert.equal(failure?.code, "call-ended");
  assert.ok([481, 491, 603].includes(failure?.sipStatus), JSON.stringify(failure));
  await Promise.all([winner.active(), loser.idle(), bob.active()]);
  await assertMoved(winner, bob, desk);
  assert.equal((await bob.state()).calls.length, 1);
}, options);

scenario("a call that has just ended cannot be pulled: no call comes of it, and that is said", async (stage) => {
  const [desk, laptop, bob] = await people(stage);
  await connect(desk, bob);
  const { id } = await laptop.elsewhere();
  // Whether bob's BYE or the pull is first, nobody may be left with a call.
  const [, failure] = await Promise.all([bob.perform("hangUp"), laptop.pull(id)]);
  await Promise.all([desk.idle(), bob.idle(), laptop.idle()]);
  assert.ok(failure !== null || (await laptop.ended()) === "remote-hang-up", JSON.stringify(failure));
  await eventually("nothing is offered any more", async () => (await laptop.state()).remoteCalls.length === 0);
  const late = await laptop.pull(id);
  assert.equal(late?.code, "no-such-call");
  await laptop.idle();
}, options);

scenario("a stranger who guesses a dialog is refused, and the call goes on", async (stage) => {
  const [desk, laptop, bob] = await people(stage);
  await connect(desk, bob);
  const { server, keep } = stage;
  const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
  const guess = ["Contact: <sip:carol@probe.invalid;transport=ws>", "Supported: replaces", "Replaces: 12345;to-tag=1;from-tag=2"];
  const answer = await probe.request("INVITE", `sip:bob@${server.domain}`, "carol", "demo", guess);
  assert.equal(answer.status, 481);
  assert.equal((await bob.state()).calls.length, 1);
  assertHears(await bob.hear(), desk.voice, { what: "what bob hears afterwards" });
  assert.equal((await laptop.state()).calls.length, 0);
}, options);

/** The identifiers of the call that a phone hosted in its page answers: what its far end would be named by. */
async function namedCall(phone) {
  /** @type {string[]} */
  const sent = [];
  phone.page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
  // Its socket is watched from its beginning only.
  await phone.load();
  await phone.start();
  return () => {
    const answer = sent.find((message) => message.startsWith("SIP/2.0 200") && /^CSeq: \d+ INVITE/im.test(message));
    const [, callId] = answer?.match(/^Call-ID: (.*)\r$/im) ?? [];
    const tag = (/** @type {string} */ name) => answer?.match(new RegExp(`^${name}: .*;tag=([^;\\s]+)`, "im"))?.[1];
    return `${callId};to-tag=${tag("To")};from-tag=${tag("From")}`;
  };
}

scenario("a stranger who knows the dialog is refused where only those are let in who are known (403), and the call goes on", async ({ server, keep }) => {
  const alice = keep(await EmbeddedPhone.open(server, "alice"));
  const bob = keep(await EmbeddedPhone.open(server, "bob", { host: "page", answers: true, replacesPolicy: "known" }));
  const replaces = await namedCall(bob);
  await connect(alice, bob);
  const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
  const invite = ["Contact: <sip:carol@probe.invalid;transport=ws>", "Supported: replaces", `Replaces: ${replaces()}`];
  const answer = await probe.request("INVITE", `sip:bob@${server.domain}`, "carol", "demo", invite);
  assert.equal(answer.status, 403, replaces());
  assert.equal((await bob.state()).calls.length, 1);
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears afterwards" });
}, options);
