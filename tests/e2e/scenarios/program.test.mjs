// The terminal program calls a browser and the echo.

import assert from "node:assert/strict";
import { assertHears, match } from "../lib/listen.mjs";
import { Program } from "../lib/program.mjs";
import { scenario } from "../lib/scenario.mjs";
import { seconds, slice } from "../lib/sound.mjs";
import { voice } from "../lib/speech.mjs";
import { eventually, passed } from "../lib/wait.mjs";

const alice = voice("alice");
const carol = voice("carol");

scenario("clearline calls the echo and records what it said", async ({ server, keep }) => {
  const program = keep(new Program(server, "alice", alice, ["call", "600"]));
  await eventually("the call is up", () => /"(active|confirmed|answered)"/.test(program.output), { timeout: 30_000 });
  await passed(6000);
  assert.equal(await program.interrupt(), 130, `interrupted, and hung up properly: ${program.errors}`);
  const heard = program.heard();
  assert.ok(seconds(heard) > 4, `${seconds(heard)} s were recorded`);
  assertHears(slice(heard, 2, 5), alice.sound, { what: "the echo" });
});

scenario("clearline calls a browser: audio both ways, the browser hangs up", async ({ server, user, keep }) => {
  const bob = await user("bob");
  const program = keep(new Program(server, "carol", carol, ["call", "bob"]));
  await bob.incoming(/carol/i);
  await bob.answer();
  assertHears(await bob.hear(4), carol.sound, { absent: [bob.voice], what: "what the browser hears" });
  await bob.press("end");
  assert.equal(await program.exited, 0, program.errors);
  const heard = program.heard();
  const found = match(slice(heard, seconds(heard) - 4), bob.voice);
  assert.ok(found.score > 0.65, `what the program recorded is not what the browser sent (${JSON.stringify(found)})`);
});

scenario("a browser calls clearline, which answers", async ({ server, user, keep }) => {
  const program = keep(new Program(server, "carol", carol, ["answer"]));
  const bob = await user("bob");
  await eventually("the program is registered", () => /registered/.test(program.output + program.errors));
  await bob.dial("carol");
  await bob.active();
  assertHears(await bob.hear(4), carol.sound, { absent: [bob.voice], what: "what the browser hears" });
  await bob.press("end");
  await bob.idle();
});

scenario("a script can tell a busy line from a wrong password", async ({ server, keep }) => {
  const unknown = keep(new Program(server, "alice", alice, ["call", "999"]));
  const code = await unknown.exited;
  assert.notEqual(code, 0);
  assert.match(unknown.output + unknown.errors, /not.found|no such|unknown/i);
});

scenario("clearline phone: two calls move into a conference of the platform; one is sent away, the other stays", async ({ server, keep }) => {
  const answers = (name) => keep(new Program(server, name, voice(name), ["answer", "--times", "1", "--duration", "90"]));
  const [bob, other] = [answers("bob"), answers("carol")];
  const phone = keep(new Program(server, "alice", alice, ["phone", "--conference-factory", "conference"]));
  for (const program of [bob, other, phone]) await eventually("the program is registered", () => /registered/.test(program.output + program.errors));
  for (const order of ["call bob", "call carol", "merge"]) assert.equal((await phone.order(order)).done, true, phone.output);
  const shown = () => phone.events.findLast(({ event }) => event === "participants")?.participants.map(({ identity }) => identity.user).sort().join();
  await eventually("three are shown", () => shown() === "alice,bob,carol");
  assert.equal((await phone.order("remove bob")).done, true, phone.output);
  assert.equal(await bob.exited, 0, bob.errors);
  await eventually("two are shown", () => shown() === "alice,carol");
  assert.equal((await phone.order("add nobody")).done, false);
  assert.equal((await phone.order("leave")).done, true);
  const causes = phone.events.filter(({ event }) => event === "end").map(({ cause }) => cause);
  assert.deepEqual(causes, ["moved-to-conference", "moved-to-conference", "local-hang-up"]);
});
