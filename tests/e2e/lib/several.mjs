// Who hears whom where there are several calls.

import { assertDoesNotHear, assertHears } from "./listen.mjs";
import { eventually } from "./wait.mjs";

/** @typedef {import("./app.mjs").AppUser} AppUser */

/**
 * The two hear each other, as soon as the sound has settled after the change, and neither hears the others then.
 * @param {AppUser} one @param {AppUser} other @param {AppUser[]} others
 */
export async function assertTalk(one, other, others) {
  const recordings = [];
  const talk = async () => {
    const [toOne, toOther] = await Promise.all([one.hearAll(), other.hearAll()]);
    recordings.push([toOne, toOther]);
    assertHears(toOne, other.voice, { what: `what ${one.name} hears` });
    assertHears(toOther, one.voice, { what: `what ${other.name} hears` });
    return true;
  };
  await eventually(`${one.name} and ${other.name} hear each other`, talk, { timeout: 30_000 });
  // Sound that is late is forgiven, sound that must not be is not: only the first recording may have the change in it.
  const settled = recordings.length > 1 ? recordings.slice(1) : recordings;
  for (const sound of settled.flat()) for (const { voice, name } of others) assertDoesNotHear(sound, voice, `what is heard of ${name}`);
}

/** Nobody's voice reaches somebody who waits. @param {AppUser} waiting @param {AppUser[]} others */
export async function assertWaits(waiting, others) {
  const heard = await waiting.hearAll(2);
  for (const { voice, name } of others) assertDoesNotHear(heard, voice, `what ${waiting.name}, who waits, hears of ${name}`);
}

/** The three people there are. @param {import("./scenario.mjs").Stage["user"]} user */
export const everybody = (user) => Promise.all([user("alice"), user("bob"), user("carol")]);
