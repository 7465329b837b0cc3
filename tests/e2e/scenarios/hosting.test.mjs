// The same phone with its signalling in a shared worker, a worker of its own, and the page.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";

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
