// How long a call is silent when its network changes and when its page is reloaded: `cargo xtask bench survival [ROUNDS]`.
//
// Silence is the longest time without a packet of audio at the end that hears less, measured in the page that plays it.
// The clock starts with the last packet before the change. One call goes through all rounds of a case.
//
//   cable pulled      two uplinks, both with addresses; the one in use loses address and routes; nobody is told
//   address switched  one uplink at a time: the address goes, another comes on the other uplink
//   page reloaded     the caller's page is loaded again

import { AppUser, connect } from "../lib/app.mjs";
import { installGapMeter, silences } from "../lib/gap.mjs";
import { assertHears } from "../lib/listen.mjs";
import { Network } from "../lib/network.mjs";
import { Server } from "../lib/server.mjs";
import { eventually, passed } from "../lib/wait.mjs";

/** Median and worst that are promised, in ms. */
const TARGETS = { "cable pulled": [2_000, 5_000], "address switched": [2_000, 5_000], "page reloaded": [3_000, 5_000] };
/** A network change is followed by this much quiet, so that rounds do not touch. */
const SETTLE_MS = 3_000;

const rounds = Number(process.argv[2] ?? 20);
const only = process.argv[3];

/** @type {Record<string, (stage: { network: Network, alice: AppUser, bob: AppUser }) => Promise<number[]>>} */
const CASES = {
  async "cable pulled"({ network, alice, bob }) {
    const { uplinks } = network.alice;
    for (const uplink of uplinks) uplink.connect();
    await passed(SETTLE_MS);
    const used = await usedUplink(alice, uplinks);
    const times = await silences([alice, bob], () => used.disconnect());
    used.connect();
    return times;
  },
  async "address switched"({ network, alice, bob }) {
    const used = await usedUplink(alice, network.alice.uplinks);
    const other = network.alice.uplinks.find((uplink) => uplink !== used);
    other?.disconnect();
    await passed(SETTLE_MS);
    return silences([alice, bob], () => {
      used.disconnect();
      other?.connect();
    });
  },
  async "page reloaded"({ alice, bob }) {
    await passed(SETTLE_MS);
    const began = performance.timeOrigin + performance.now();
    const reload = () => alice.page.reload().then(() => alice.active());
    const [heardByBob] = await silences([bob], reload, { atLeast: 0 });
    const first = await eventually("alice hears something", () => alice.page.evaluate(() => window.__gap.read().first));
    return [heardByBob, first - began];
  },
};

/** The uplink that carries the audio. @param {AppUser} user @param {import("../lib/network.mjs").Machine["uplinks"]} uplinks */
async function usedUplink(user, uplinks) {
  const address = await user.page.evaluate(async () => {
    const stats = await window.__tap.all().at(-1).getStats();
    const transport = [...stats.values()].find(({ type }) => type === "transport");
    return stats.get(stats.get(transport.selectedCandidatePairId).localCandidateId).address;
  });
  const uplink = uplinks.find((one) => one.address === address);
  if (!uplink) throw new Error(`the audio goes over ${address}`);
  return uplink;
}

async function measure(/** @type {keyof typeof CASES} */ name) {
  const network = new Network();
  const server = await Server.start([], network.serverAddress);
  const open = (/** @type {"alice" | "bob"} */ who) =>
    AppUser.open(server, who, { machine: network[who], prepare: (page) => page.addInitScript(installGapMeter) });
  const [alice, bob] = await Promise.all([open("alice"), open("bob")]);
  const results = [];
  try {
    await Promise.all([alice.signIn(), bob.signIn()]);
    await connect(alice, bob);
    for (let round = 1; round <= rounds; round++) {
      const times = await CASES[name]({ network, alice, bob });
      results.push(Math.max(...times));
      console.log(`${name} ${round}: ${times.map((ms) => ms.toFixed(0)).join(" / ")} ms`);
      if (process.env.CLEARLINE_SHOW) console.log(alice.messages.slice(-12).join("\n"));
    }
    assertHears(await bob.hear(), alice.voice, { what: "what bob hears after all" });
    assertHears(await alice.hear(), bob.voice, { what: "what alice hears after all" });
  } finally {
    if (results.length < rounds) await explain([alice, bob]);
    await Promise.allSettled([alice.close(), bob.close()]);
    await server.close();
    network.close();
  }
  return results;
}

/** What can be seen when a call has not survived. @param {AppUser[]} users */
async function explain(users) {
  for (const user of users) {
    const cards = await user.page.locator("cl-call-card, cl-ended-card").allInnerTexts().catch(String);
    console.log(user.name, JSON.stringify({ cards, connections: await user.connections().catch(String) }, null, 1));
  }
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const rows = [];
for (const name of Object.keys(CASES)) {
  if (only && !name.includes(only)) continue;
  const times = await measure(name);
  const [middle, worst] = [median(times), Math.max(...times)];
  const [wantedMiddle, wantedWorst] = TARGETS[name];
  const reached = middle <= wantedMiddle && worst <= wantedWorst;
  if (!reached) process.exitCode = 1;
  rows.push(`| ${name} | ${middle.toFixed(0)} | ${worst.toFixed(0)} | ${wantedMiddle} / ${wantedWorst} | ${reached ? "reached" : "missed"} |`);
}
console.log(`\nsilence in ms, ${rounds} rounds\n\n| | median | worst | target | |\n|---|---|---|---|---|\n${rows.join("\n")}`);
