// The microphone is refused, undecided or absent: a clear state and a way on; the call is not lost.

import assert from "node:assert/strict";
import { assertHears, assertSilent } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually } from "../lib/wait.mjs";

/** One DevTools session per user: the browser forgets what was decided when the session ends. */
const settings = new WeakMap();

async function openSettings(user) {
  const session = await user.browser.context.newCDPSession(user.page);
  const { browserContextId } = (await session.send("Target.getTargetInfo")).targetInfo;
  return { session, browserContextId };
}

/** Decides as the person would in the browser's own settings. @param {any} user @param {"granted" | "denied" | "prompt"} setting */
async function decide(user, setting) {
  if (!settings.has(user)) settings.set(user, await openSettings(user));
  const { session, browserContextId } = settings.get(user);
  const { origin } = new URL(user.url);
  await session.send("Browser.setPermission", { permission: { name: "microphone" }, setting, origin, browserContextId });
}

scenario("denied: the app says so; allowed later, the same call is heard", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice", { microphone: "ask" }), user("bob")]);
  await decide(alice, "denied");
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.answer();
  await alice.active();
  await alice.says(/microphone is blocked/i);
  assertHears(await alice.hear(), bob.voice, { what: "what alice hears without a microphone" });
  assertSilent(await bob.hear(2), "what bob hears of alice");
  await decide(alice, "granted");
  await eventually("alice's microphone opens by itself", async () => (await alice.microphones()).open > 0);
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears after all" });
});

scenario("denied when a call comes in: it can be answered all the same", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob", { microphone: "ask" })]);
  await decide(bob, "denied");
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.answer();
  await alice.active();
  await bob.says(/microphone is blocked/i);
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears" });
});

scenario("undecided: nothing is asked before a call; the app points at the question; its answer lets the call go on", async ({ user }) => {
  const alice = await user("alice", { microphone: "ask" });
  assert.equal((await alice.microphones()).requests, 0);
  await alice.page.evaluate(() => window.__tap.leaveQuestionOpen());
  await alice.dial("600");
  await alice.says(/please allow the microphone/i);
  assert.equal((await alice.microphones()).open, 0);
  await decide(alice, "granted");
  await alice.page.evaluate(() => window.__tap.closeQuestion());
  await alice.active();
  await eventually("the echo is heard", async () => {
    assertHears(await alice.hear(), alice.voice);
    return true;
  });
});

scenario("undecided for ever: the call can be given up", async ({ user }) => {
  const alice = await user("alice", { microphone: "ask" });
  await alice.page.evaluate(() => window.__tap.leaveQuestionOpen());
  await alice.dial("600");
  await alice.says(/please allow the microphone/i);
  await alice.press("end");
  await alice.idle();
  await alice.page.evaluate(() => window.__tap.closeQuestion());
  await alice.registered();
});

scenario("no microphone at all: the call is heard, and the app says what is missing", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob", { voice: null })]);
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.answer();
  await bob.says(/no microphone/i);
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears without a microphone" });
});
