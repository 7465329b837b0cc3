// The server goes away and comes back; nobody clicks anything.

import { connect } from "../lib/app.mjs";
import { assertHears } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";

scenario("stopped and started again: registered without a click, and calls work", async ({ server, user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await server.stop();
  await alice.notRegistered();
  await server.start();
  await Promise.all([alice.registered(60_000), bob.registered(60_000)]);
  await connect(alice, bob);
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears after the restart" });
});

scenario("the server restarts during a call: the voices never stop, and hanging up still works", async ({ server, user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await server.stop("SIGKILL");
  await alice.notRegistered();
  assertHears(await bob.hear(), alice.voice, { what: "what bob hears without a server" });
  await server.start();
  await Promise.all([alice.registered(60_000), bob.registered(60_000)]);
  await alice.press("end");
  await Promise.all([alice.idle(), bob.idle()]);
});
