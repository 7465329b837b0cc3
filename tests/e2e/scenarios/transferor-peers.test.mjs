// A phone nobody here wrote sends ours on: JsSIP asks with REFER, we call whom it names and tell it what becomes of that.

import assert from "node:assert/strict";
import { EmbeddedPhone } from "../lib/embed.mjs";
import { JsSipPeer } from "../lib/jssip.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { assertTalk } from "../lib/several.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

const JSSIP = { name: "bob", voice: voice("bob").sound };
const PEERS = { serverFlags: ["--allow-origin", "*"] };

const jssip = ({ server, keep }) =>
  JsSipPeer.open("bob", { server: server.sipUrl, uri: `sip:bob@${server.domain}`, password: "demo", answers: true }).then(keep);

/** Bob has JsSIP, alice and carol have our app; alice and bob talk. */
async function everybody(stage) {
  const [bob, alice, carol] = await Promise.all([jssip(stage), stage.user("alice"), stage.user("carol")]);
  await alice.dial("102");
  await bob.happened("confirmed");
  await alice.active();
  return { bob, alice, carol, addressOf: (/** @type {string} */ name) => `sip:${name}@${stage.server.domain}` };
}

/** What JsSIP has been told of the REFER: the answer to it, then the status lines. */
const told = async (bob) => (await bob.events()).filter((event) => event.startsWith("sent on: ")).map((event) => event.slice(9));

/** The two hear each other as before. */
async function areTogether(alice, bob) {
  await alice.held("bob", false);
  await alice.settled();
  await eventually("alice and JsSIP hear each other", async () => {
    const [toAlice, toBob] = await Promise.all([alice.hear(), bob.hear(3)]);
    assertHears(toBob, alice.voice, { what: "what JsSIP hears" });
    assertHears(toAlice, JSSIP.voice, { what: "what alice hears" });
    return true;
  });
}

scenario(
  "JsSIP connects alice with carol unseen: no question within the domain, it is told how it goes, and is out",
  async (stage) => {
    const { bob, alice, carol, addressOf } = await everybody(stage);
    await bob.refer(addressOf("carol"));
    await carol.incoming(/alice/i);
    await bob.happened("sent on: progress: 180");
    await carol.answer();
    await bob.happened("sent on: accepted: 200");
    await bob.happened("ended: ");
    assert.deepEqual((await told(bob)).slice(0, 2), ["requestSucceeded: 202", "trying: 100"]);
    await alice.card("carol").and(alice.cards("active")).waitFor();
    await Promise.all([alice.settled(), carol.settled()]);
    await assertTalk(alice, carol, [JSSIP]);
  },
  PEERS,
);

scenario(
  "JsSIP connects alice with carol after asking her: alice takes its place there",
  async (stage) => {
    const { bob, alice, carol, addressOf } = await everybody(stage);
    await bob.perform("hold");
    await alice.page.getByText(/on hold/i).first().waitFor();
    await bob.call(addressOf("carol"));
    await carol.incoming(/bob/i);
    await carol.answer();
    await eventually("JsSIP's second call is up", async () => (await bob.events()).filter((event) => event.startsWith("confirmed")).length >= 2);
    await bob.refer(addressOf("carol"), true);
    await bob.happened("sent on: accepted: 200");
    await eventually("both calls of JsSIP have ended", async () => (await bob.events()).filter((event) => event.startsWith("ended")).length === 2);
    assert.equal(await carol.cards("incoming").count(), 0, "she is not rung again");
    await alice.card("carol").and(alice.cards("active")).waitFor();
    await Promise.all([alice.settled(), carol.settled()]);
    await assertTalk(alice, carol, [JSSIP]);
  },
  PEERS,
);

scenario(
  "whom JsSIP wants to connect alice with declines, or does not exist: it is told with which status, and the call goes on",
  async (stage) => {
    const { bob, alice, carol, addressOf } = await everybody(stage);
    await bob.refer(addressOf("carol"));
    await carol.incoming(/alice/i);
    await carol.press("decline");
    const declined = await bob.happened("sent on: failed");
    assert.match(declined, /: (486|603)$/);
    await areTogether(alice, bob);

    await bob.refer(addressOf("nobody"));
    await eventually("JsSIP is told", async () => (await told(bob)).includes("failed: 404"));
    await areTogether(alice, bob);
  },
  PEERS,
);

scenario(
  "JsSIP wants to connect alice with somebody outside: she is asked and stays, and it is told so",
  async (stage) => {
    const { bob, alice } = await everybody(stage);
    await bob.refer("sip:stranger@elsewhere.invalid");
    await alice.says(/wants to connect you with/i);
    await alice.page.getByRole("button", { name: "Stay here" }).click();
    await bob.happened("sent on: failed: 603");
    await areTogether(alice, bob);
  },
  PEERS,
);

scenario(
  "a phone that never lets itself be sent on refuses at once: 603",
  async (stage) => {
    const { server, keep } = stage;
    const options = { transferPolicy: /** @type {const} */ ("never") };
    const [bob, alice] = await Promise.all([jssip(stage), EmbeddedPhone.open(server, "alice", options).then(keep)]);
    await alice.dial("bob");
    await bob.happened("confirmed");
    await alice.active();
    await bob.refer(`sip:carol@${server.domain}`);
    await bob.happened("sent on: requestFailed: 603");
    assert.equal((await alice.state()).calls.length, 1);
    assertHears(await bob.hear(3), alice.voice, { what: "what JsSIP hears" });
  },
  PEERS,
);
