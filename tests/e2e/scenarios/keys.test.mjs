// Keys pressed during a call arrive as tones.

import { connect } from "../lib/app.mjs";
import { assertKeysArrive } from "../lib/listen.mjs";
import { scenario } from "../lib/scenario.mjs";

scenario("every key arrives, in order, repeats too", async ({ user }) => {
  const [alice, bob] = await Promise.all([user("alice"), user("bob")]);
  await connect(alice, bob);
  await alice.press("mute");
  await assertKeysArrive("1559*0#", () => bob.hear(8, () => alice.keys("1559*0#")));
});
