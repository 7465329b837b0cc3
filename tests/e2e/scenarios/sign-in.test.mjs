// Accounts: signing in, staying signed in, several windows, several accounts.

import assert from "node:assert/strict";
import { labels } from "../lib/app.mjs";
import { scenario } from "../lib/scenario.mjs";
import { SipProbe } from "../lib/sip.mjs";
import { voice } from "../lib/speech.mjs";
import { assertHears } from "../lib/listen.mjs";
import { eventually } from "../lib/wait.mjs";

scenario("a wrong password is refused in words, the right one works afterwards", async ({ user }) => {
  const alice = await user("alice", { signIn: false });
  await alice.submitPassword("wrong");
  await alice.says(/password/i);
  await alice.page.getByRole("alert").first().waitFor();
  assert.equal(await alice.button(labels.signIn).isVisible(), true);
  await alice.submitPassword("demo");
  await alice.registered();
});

scenario("a reload and a new window need no password", async ({ user }) => {
  const alice = await user("alice");
  await alice.page.reload();
  await alice.registered();
  const second = await alice.newWindow();
  await second.registered();
});

scenario("two windows of one account are one registration, and either answers", async ({ server, user, keep }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  const second = await alice.newWindow();
  await second.registered();
  const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
  assert.equal((await probe.bindings("alice", "demo")).length, 1);
  await bob.dial("alice");
  await alice.incoming(/bob/i);
  await second.incoming(/bob/i);
  await second.press("answer");
  await bob.active();
  await alice.cards("active").first().waitFor();
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears" });
  await alice.press("end");
  await Promise.all([alice.idle(), second.idle(), bob.idle()]);
});

scenario("the demo as it is told: alice and bob in two windows of one browser", async ({ server, user }) => {
  const alice = await user("alice");
  const bob = await alice.newWindow(`${server.url}/u/bob`);
  await bob.submitPassword("demo");
  await bob.registered();
  await alice.registered();
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.answer();
  await alice.active();
  // One browser has one microphone, so both send the same voice.
  const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear()]);
  assertHears(toAlice, voice("alice").sound, { what: "what alice hears" });
  assertHears(toBob, voice("alice").sound, { what: "what bob hears" });
});

scenario("closing the last window takes the registration away in the end", async ({ server, user, keep }) => {
  const alice = await user("alice");
  const probe = keep(await SipProbe.open(server.sipUrl, server.domain));
  assert.equal((await probe.bindings("alice", "demo")).length, 1);
  await alice.page.goto("about:blank");
  const gone = async () => (await probe.bindings("alice", "demo")).length === 0;
  await eventually("alice is no longer registered", gone, { timeout: 60_000, every: 1000 });
});
