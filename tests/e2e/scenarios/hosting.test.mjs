// The same phone with its signalling in a shared worker, a worker of its own, and the page.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually, passed } from "../lib/wait.mjs";

const [aliceVoice, bobVoice] = [voice("alice").sound, voice("bob").sound];

for (const host of /** @type {const} */ (["shared-worker", "worker", "page"])) {
  scenario(
    `signalling in: ${host}`,
    async ({ server, keep }) => {
      const alice = keep(await EmbeddedPhone.open(server, "alice", { host }));
      const bob = keep(await EmbeddedPhone.open(server, "bob", { host, answers: true }));
      assert.equal((await alice.state()).host, host);
      await alice.dial("bob");
      await Promise.all([alice.active(), bob.active()]);
      const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear()]);
      assertHears(toBob, aliceVoice, { absent: [bobVoice], what: "what bob hears" });
      assertHears(toAlice, bobVoice, { absent: [aliceVoice], what: "what alice hears" });
      await alice.perform("hold");
      assert.equal((await alice.state()).calls[0].localHold, true);
      await alice.perform("resume");
      assertHears(await bob.hear(), aliceVoice, { what: "what bob hears after resume" });
      await bob.perform("hangUp");
      assert.deepEqual(await Promise.all([alice.ended(), bob.ended()]), ["remote-hang-up", "local-hang-up"]);
      await alice.dial("999");
      assert.equal(await alice.ended(2), "not-found");
      assert.deepEqual([...alice.errors, ...bob.errors], []);
    },
    { serverFlags: ["--allow-origin", "*"] },
  );
}

scenario(
  "two releases at once: the old worker keeps its call, and makes room for the new page when the call is over",
  async ({ server, keep }) => {
    const alice = keep(await EmbeddedPhone.open(server, "alice"));
    const bob = keep(await EmbeddedPhone.open(server, "bob", { answers: true }));
    await alice.dial("bob");
    await Promise.all([alice.active(), bob.active()]);
    alice.publishNewRelease();
    const newer = await alice.newWindow();
    let isThere = false;
    const started = newer.start().then(() => (isThere = true));
    // Longer than a window waits for a worker that says nothing.
    await passed(6_000);
    assert.equal(isThere, false, "not during a call");
    assertHears(await bob.hear(), aliceVoice, { what: "what bob hears meanwhile" });
    await alice.perform("hangUp");
    assert.equal(await bob.ended(), "remote-hang-up");
    await started;
    const { host, registration } = await newer.state();
    assert.deepEqual([host, registration.type], ["shared-worker", "registered"]);
    await eventually("the old page knows that it is out", async () => (await alice.state()).connection.type === "stopped");
    await newer.dial("bob");
    await newer.active();
    assertHears(await bob.hear(), aliceVoice, { what: "what bob hears of the new release" });
  },
  { serverFlags: ["--allow-origin", "*"] },
);
