// The microphone is refused, undecided or absent: a clear state and a way on.

import assert from "node:assert/strict";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { assertHears } from "../lib/listen.mjs";

/** Decides as the person would in the browser's own dialog. @param {any} user @param {"granted" | "denied" | "prompt"} setting */
async function decide(user, setting) {
  const session = await user.browser.context.newCDPSession(user.page);
  const { origin } = new URL(user.url);
  await session.send("Browser.setPermission", { permission: { name: "microphone" }, setting, origin });
  await session.detach();
}

scenario("denied: the app says so and what to do; allowed later, the next call works", async ({ user }) => {
  const alice = await user("alice", { microphone: "ask" });
  await decide(alice, "denied");
  await alice.dial("600");
  await alice.says(/microphone/i);
  await alice.idle();
  await decide(alice, "granted");
  await alice.dial("600");
  await alice.active();
  await alice.press("end");
  await alice.idle();
});

scenario("denied when a call comes in: it keeps ringing or is answered once allowed, it is not lost", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob", { microphone: "ask" })]);
  await decide(bob, "denied");
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.press("answer");
  await bob.says(/microphone/i);
  await decide(bob, "granted");
  assert.ok((await alice.liveCalls()) === 1, "the caller still has the call");
});

scenario("undecided: nothing is asked before a call, and the question's answer lets the call go on", async ({ user }) => {
  const alice = await user("alice", { microphone: "ask" });
  assert.equal((await alice.microphones()).requests, 0);
  await decide(alice, "prompt");
  await alice.dial("600");
  await alice.says(/microphone/i);
  assert.equal((await alice.microphones()).open, 0);
  await decide(alice, "granted");
  await alice.idleOrActive();
  if ((await alice.liveCalls()) === 0) await alice.dial("600");
  await alice.active();
});

scenario("no microphone at all: listening still works, or the app says what is missing", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob", { voice: null })]);
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.press("answer");
  await bob.says(/microphone/i);
  if ((await bob.cards("active").count()) > 0) {
    assertHears(await bob.hear(), voice("alice").sound, { what: "what bob hears without a microphone" });
  }
});
