// Calls that do not come to be: each says why, in words.

import assert from "node:assert/strict";
import { JsSipPeer } from "../lib/jssip.mjs";
import { scenario } from "../lib/scenario.mjs";

const PEERS = { serverFlags: ["--allow-origin", "*"] };

const peer = (server, options) =>
  JsSipPeer.open("bob", { server: server.sipUrl, uri: `sip:bob@${server.domain}`, password: "demo", ...options });

scenario("declined", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await bob.press("decline");
  await Promise.all([alice.idle(), bob.idle()]);
  assert.deepEqual(await Promise.all([alice.endCause(), bob.endCause()]), ["rejected", "declined"]);
  await alice.says(/rejected|declined/i);
});

scenario("cancelled while it rings: the other side stops ringing and sees a missed call", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await alice.dial("bob");
  await bob.incoming(/alice/i);
  await alice.press("end");
  await Promise.all([alice.idle(), bob.idle()]);
  assert.deepEqual(await Promise.all([alice.endCause(), bob.endCause()]), ["cancelled", "missed"]);
});

scenario(
  "busy",
  async ({ server, user, keep }) => {
    keep(await peer(server, { status: 486 }));
    const alice = await user("alice");
    await alice.dial("bob");
    await alice.says(/busy/i);
    await alice.idle();
    assert.equal(await alice.endCause(), "busy");
  },
  PEERS,
);

scenario(
  "no answer",
  async ({ server, user, keep }) => {
    keep(await peer(server, { patience: 3 }));
    const alice = await user("alice");
    await alice.dial("bob");
    await alice.says(/no answer|did not answer|not answered/i);
    await alice.idle();
    assert.equal(await alice.endCause(), "no-answer");
  },
  PEERS,
);

scenario("a number that does not exist", async ({ user }) => {
  const alice = await user("alice");
  await alice.dial("999");
  await alice.idle();
  assert.equal(await alice.endCause(), "not-found");
});

scenario("somebody who is not there", async ({ user }) => {
  const alice = await user("alice");
  await alice.dial("carol");
  await alice.idle();
  assert.equal(await alice.endCause(), "unavailable");
});
