// Transfers with a phone nobody here wrote: JsSIP is sent on, and is whom others are sent to. As it does not say who sent
// it (no Referred-By), the phone it is sent to has only its word and the platform's for who it is.

import assert from "node:assert/strict";
import { connect } from "../lib/app.mjs";
import { JsSipPeer } from "../lib/jssip.mjs";
import { assertDoesNotHear, assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { eventually } from "../lib/wait.mjs";
import { voice } from "../lib/speech.mjs";

const PEERS = { serverFlags: ["--allow-origin", "*"] };
const bobVoice = voice("bob").sound;

const jssip = (platform) =>
  JsSipPeer.open("bob", { server: platform.sipUrl, uri: `sip:bob@${platform.domain}`, password: "demo", answers: true });

/** Bob has JsSIP and takes every call; alice and carol have our app. */
const everybody = async ({ server, user, keep }) => {
  const [bob, alice, carol] = await Promise.all([jssip(server).then(keep), user("alice"), user("carol")]);
  return { bob, alice, carol };
};

scenario(
  "JsSIP is transferred at once: it talks with carol, alice is gone",
  async (stage) => {
    const { bob, alice, carol } = await everybody(stage);
    await callBob(alice, bob);
    await alice.transfer("carol", "transferNow");
    await bob.happened("refer: sip:");
    await carol.incoming(/bob/i);
    await carol.answer();
    await bob.happened("ended: remote");
    await areLeftTogether(carol, bob, alice);
  },
  PEERS,
);

scenario(
  "JsSIP is transferred after asking: it takes alice's place with carol",
  async (stage) => {
    const { bob, alice, carol } = await everybody(stage);
    await callBob(alice, bob);
    await alice.transfer("carol", "askFirst");
    await carol.incoming(/alice/i);
    await carol.answer();
    await alice.held("carol", false);
    await bob.happened("hold: remote");
    await alice.press("completeTransfer");
    await bob.happened("refer: sip:");
    await bob.happened("ended: remote");
    await areLeftTogether(carol, bob, alice);
  },
  PEERS,
);

scenario(
  "a call is transferred to JsSIP at once",
  async (stage) => {
    const { bob, alice, carol } = await everybody(stage);
    await connect(alice, carol);
    await alice.transfer("bob", "transferNow");
    await bob.happened("confirmed");
    await areLeftTogether(carol, bob, alice);
  },
  PEERS,
);

scenario(
  "a call is transferred to JsSIP after asking: carol takes alice's place there",
  async (stage) => {
    const { bob, alice, carol } = await everybody(stage);
    await connect(alice, carol);
    await alice.transfer("bob", "askFirst");
    await bob.happened("confirmed");
    await alice.held("bob", false);
    await alice.press("completeTransfer");
    await bob.happened("replaces");
    await bob.happened("ended: ");
    await areLeftTogether(carol, bob, alice);
  },
  PEERS,
);

async function callBob(alice, bob) {
  await alice.dial("102");
  await bob.happened("confirmed");
  await alice.active();
}

/** Alice is out of it; carol and JsSIP hear each other and nobody else, until JsSIP hangs up. */
async function areLeftTogether(carol, bob, alice) {
  await alice.idle();
  assert.equal(await alice.endCause(), "transferred");
  await carol.settled();
  await carol.card("bob").and(carol.cards("active")).waitFor();
  const recordings = [];
  await eventually("carol and JsSIP hear each other", async () => {
    const [toCarol, toBob] = await Promise.all([carol.hear(), bob.hear(3)]);
    recordings.push([toCarol, toBob]);
    assertHears(toBob, carol.voice, { what: "what JsSIP hears" });
    assertHears(toCarol, bobVoice, { what: "what carol hears" });
    return true;
  });
  // Sound that is late is forgiven, sound that must not be is not: only the first recording may have the change in it.
  for (const [toCarol, toBob] of recordings.length > 1 ? recordings.slice(1) : recordings) {
    for (const voice of [alice.voice, carol.voice]) assertDoesNotHear(toCarol, voice, "what carol hears");
    for (const voice of [alice.voice, bobVoice]) assertDoesNotHear(toBob, voice, "what JsSIP hears");
  }
  await bob.perform("hangUp");
  await carol.idle();
}
