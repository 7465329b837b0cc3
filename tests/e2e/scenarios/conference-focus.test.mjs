// Three people in a conference of the platform: each hears exactly the two others, whoever has made it and whoever leaves.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { silences } from "../lib/gap.mjs";
import { assertHearsOnly } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually } from "../lib/wait.mjs";

/** A command to the call of a phone, which has one, or to that at this place. */
const command = (phone, name, argument, at = 0) =>
  phone.page.evaluate(([method, value, place]) => window.phone.callById(window.phone.state.calls[place].id)[method](value), [name, argument, at]);
const merge = (phone) => phone.page.evaluate(() => window.phone.merge(window.phone.state.calls[1].id, window.phone.state.calls[0].id));

/** Waits until a phone has these calls, their audio flows, and they are in a conference, or are not. */
function isIn(phone, count, focus) {
  return eventually(`${phone.name} has ${count} calls`, async () => {
    const { calls } = await phone.state();
    return calls.length === count && calls.every((call) => call.state === "active" && call.media === "connected" && call.focus === focus);
  });
}

/** Waits until a phone shows exactly these people, all of them connected. */
function shows(phone, people) {
  return eventually(`${phone.name} sees ${people.map(({ name }) => name).join(", ")}`, async () => {
    const [room] = (await phone.state()).calls;
    const there = room?.participants.filter(({ state }) => state === "connected").map(({ identity }) => identity.user);
    const own = room?.participants.filter(({ isSelf }) => isSelf).map(({ identity }) => identity.user);
    return there?.sort().join() === people.map(({ name }) => name).sort().join() && own?.join() === phone.name;
  });
}

/** One speaks at a time; all others hear that one, and nobody else. */
async function eachHearsTheOthers(people, outsiders = []) {
  for (const phone of people) await command(phone, "mute");
  for (const speaker of people) {
    await command(speaker, "unmute");
    const absent = [...people, ...outsiders].filter((phone) => phone !== speaker).map(({ voice }) => voice);
    const listeners = people.filter((phone) => phone !== speaker);
    await Promise.all(listeners.map((phone) => assertHearsOnly(phone, speaker.voice, absent, `what ${phone.name} hears of ${speaker.name}`)));
    await command(speaker, "mute");
  }
  for (const phone of people) await command(phone, "unmute");
}

scenario(
  "a conference of the platform: merged, somebody sent away and brought back, and its maker leaves",
  async ({ server, keep }) => {
    const conferenceFactory = `sip:conference@${server.domain}`;
    const alice = keep(await EmbeddedPhone.open(server, "alice", { conferenceFactory }));
    const bob = keep(await EmbeddedPhone.open(server, "bob", { answers: true }));
    const carol = keep(await EmbeddedPhone.open(server, "carol", { answers: true }));
    await alice.dial("bob");
    await Promise.all([alice.active(), bob.active()]);
    await command(alice, "hold");
    await alice.dial("carol");
    await Promise.all([isIn(alice, 2, false), carol.active()]);

    const silence = await silences([bob, carol], () => merge(alice), { atLeast: 0 });
    console.log(`silence while moving: ${silence.map((ms) => ms.toFixed(0)).join(" and ")} ms`);
    assert.ok(silence.every((ms) => ms < 1_000), `nobody hears nothing for a second while moving (${silence} ms)`);
    const all = [alice, bob, carol];
    await Promise.all(all.map((phone) => isIn(phone, 1, true)));
    assert.deepEqual(await alice.page.evaluate(() => window.ended), ["moved-to-conference", "moved-to-conference"]);
    await Promise.all(all.map((phone) => shows(phone, all)));
    await eachHearsTheOthers(all);

    await command(alice, "removeParticipant", `sip:carol@${server.domain}`);
    await carol.idle();
    await Promise.all([shows(alice, [alice, bob]), shows(bob, [alice, bob])]);
    await eachHearsTheOthers([alice, bob], [carol]);

    await command(alice, "addParticipant", "carol");
    await Promise.all(all.map((phone) => shows(phone, all)));
    await command(alice, "hangUp");
    await alice.idle();
    await Promise.all([shows(bob, [bob, carol]), shows(carol, [bob, carol])]);
    await eachHearsTheOthers([bob, carol], [alice]);
    assert.deepEqual([...alice.errors, ...bob.errors, ...carol.errors], []);
  },
  { serverFlags: ["--allow-origin", "*"], timeout: 240_000 },
);
