// Peers nobody here wrote: JsSIP through our server, and our app through Kamailio.

import { JsSipPeer } from "../lib/jssip.mjs";
import { KAMAILIO_MISSING, Kamailio } from "../lib/kamailio.mjs";
import { assertHears, assertKeysArrive } from "../lib/listen.mjs";
import assert from "node:assert/strict";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

const PEERS = { serverFlags: ["--allow-origin", "*"] };
const bobVoice = voice("bob").sound;

const jssip = (platform, options) =>
  JsSipPeer.open("bob", { server: platform.sipUrl, uri: `sip:bob@${platform.domain}`, password: "demo", ...options });

scenario(
  "JsSIP calls our app: audio both ways, keys, hold by JsSIP, our app hangs up",
  async ({ server, user, keep }) => {
    const bob = keep(await jssip(server));
    const alice = await user("alice");
    await bob.call(`sip:alice@${server.domain}`);
    await alice.incoming(/bob/i);
    await alice.answer();
    await bob.happened("confirmed");
    await assertTalk(alice, bob);
    await alice.press("mute");
    await alice.button("Unmute").waitFor();
    await assertKeysArrive("42", () => alice.hear(4, () => bob.press("42")));
    await bob.perform("hold");
    await alice.says(/(on hold|holds|held)/i);
    await bob.perform("unhold");
    await alice.press("unmute");
    await assertTalk(alice, bob);
    await alice.press("end");
    await bob.happened("ended: remote");
    await alice.idle();
  },
  PEERS,
);

scenario(
  "our app calls JsSIP: audio both ways, keys, hold by us, JsSIP hangs up",
  async ({ server, user, keep }) => {
    const bob = keep(await jssip(server, { answers: true }));
    const alice = await user("alice");
    await alice.dial("102");
    await bob.happened("confirmed");
    await alice.active();
    await assertTalk(alice, bob);
    await alice.press("hold");
    await bob.happened("hold: remote");
    await alice.press("resume");
    await bob.happened("unhold: remote");
    await alice.press("mute");
    await assertKeysArrive("73", () => bob.hear(5, () => alice.keys("73")));
    await bob.perform("hangUp");
    await alice.idle();
    assert.equal(await alice.endCause(), "remote-hang-up");
  },
  PEERS,
);

scenario(
  "our app signs in at Kamailio and calls through it",
  async ({ user, keep }) => {
    const kamailio = keep(await Kamailio.start("demo"));
    const bob = keep(await jssip(kamailio, { answers: true }));
    const alice = await user("alice", { prepare: (page) => atPlatform(page, kamailio) });
    await alice.dial("bob");
    await bob.happened("confirmed");
    await alice.active();
    await assertTalk(alice, bob);
    await alice.press("end");
    await bob.happened("ended: remote");
    await alice.idle();

    await bob.call(`sip:alice@${kamailio.domain}`);
    await alice.incoming(/bob/i);
    await alice.answer();
    await assertTalk(alice, bob);
    await bob.perform("hangUp");
    await alice.idle();
  },
  { skip: KAMAILIO_MISSING },
);

/** The account's platform is another one: what a tenant's configuration will say, said by the answer of the API. */
async function atPlatform(page, platform) {
  await page.route("**/api/device", async (route) => {
    const answer = await route.fetch();
    const credentials = { ...(await answer.json()), authUser: "alice", password: "demo", servers: [platform.sipUrl] };
    await route.fulfill({ response: answer, json: { ...credentials, addressOfRecord: `sip:alice@${platform.domain}` } });
  });
}

/** On a busy machine a recording may have gaps, so another one counts too; a wrong voice stays wrong. */
async function assertTalk(alice, bob) {
  await eventually("both hear each other", async () => {
    const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear(3)]);
    assertHears(toBob, alice.voice, { absent: [bobVoice], what: "what JsSIP hears" });
    assertHears(toAlice, bobVoice, { absent: [alice.voice], what: "what our app hears" });
    return true;
  });
}
