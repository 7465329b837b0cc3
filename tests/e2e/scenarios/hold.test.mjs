// Hold is what the other side was told, not what a button claims.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../lib/app.mjs";
import { assertDoesNotHear, assertHears, assertMelody, assertSilent } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually } from "../lib/wait.mjs";

scenario("hold: music instead of the microphone, and the peer shows held; resume: both hear again", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("hold");
  await alice.button("Resume").waitFor();
  await alice.says(/on hold/i);
  await bob.says(/(on hold|holds|held)/i);

  await assertSendsNoVoice(alice);
  const heard = await bob.hear(4);
  assertMelody(heard, "what bob hears on hold");
  assertDoesNotHear(heard, alice.voice, "what bob hears on hold");

  await alice.press("resume");
  await alice.button("Hold").waitFor();
  const [toAlice, toBob] = await Promise.all([alice.hear(4), bob.hear(4)]);
  assertHears(toBob, alice.voice, { absent: [bob.voice], what: "what bob hears after resume" });
  assertHears(toAlice, bob.voice, { absent: [alice.voice], what: "what alice hears after resume" });
});

scenario("both hold and both resume, in any order", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("hold");
  await alice.button("Resume").waitFor();
  await bob.press("hold");
  await bob.button("Resume").waitFor();
  await alice.press("resume");
  await alice.button("Hold").waitFor();
  await assertSendsNoVoice(bob);
  await bob.press("resume");
  await bob.button("Hold").waitFor();
  const [toAlice, toBob] = await Promise.all([alice.hear(4), bob.hear(4)]);
  assertHears(toBob, alice.voice, { what: "what bob hears in the end" });
  assertHears(toAlice, bob.voice, { what: "what alice hears in the end" });
});

scenario(
  "the tenant's own music: whoever is on hold hears that; who switches music off lets them wait in silence",
  async ({ user }) => {
    const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
    await connect(alice, bob);
    await hold(alice);
    await eventually("bob hears the music", async () => {
      assertHears(await bob.hear(4), voice("carol").sound, { absent: [alice.voice], what: "what bob hears on hold" });
      return true;
    });
    await alice.press("resume");
    await alice.button("Hold").waitFor();

    await alice.button("Settings").click();
    const choice = alice.page.getByRole("switch", { name: /music on hold/i });
    await choice.click();
    assert.equal(await choice.getAttribute("aria-checked"), "false");
    await hold(alice);
    await eventually("it is silent", async () => {
      assertSilent(await bob.hear(2), "what bob hears on hold without music");
      return true;
    });
  },
  { serverFlags: ["--hold-music", voice("carol").path] },
);

const folder = mkdtempSync(join(tmpdir(), "clearline-music-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const broken = join(folder, "broken.wav");
writeFileSync(broken, "RIFFthis is no music");

scenario(
  "a file that is no music: the melody instead, and one line at the server says why",
  async ({ user, server }) => {
    const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
    await connect(alice, bob);
    await hold(alice);
    assertMelody(await bob.hear(4), "what bob hears on hold");
    assert.equal(server.log.split("\n").filter((line) => line.includes("broken.wav")).length, 1);
  },
  { serverFlags: ["--hold-music", broken] },
);

/** @param {import("../lib/app.mjs").AppUser} user */
async function hold(user) {
  await user.press("hold");
  await user.button("Resume").waitFor();
}

/** No peer connection carries an open microphone. */
async function assertSendsNoVoice(user) {
  await eventually(`${user.name} sends no microphone`, async () => {
    const open = await user.connections();
    return open.length > 0 && !open.some(({ senders }) => senders.some(({ carriesMicrophone }) => carriesMicrophone));
  });
}
