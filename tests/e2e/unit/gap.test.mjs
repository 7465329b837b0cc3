// The meter of silence, with a page and a clock that are pretended.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { installGapMeter } from "../lib/gap.mjs";

/** Installs the meter; `at` moves the clock to a moment and lets the meter look. */
function pretend(t) {
  let [now, look] = [0, () => undefined];
  const connections = [];
  t.after(() => mock.restoreAll());
  mock.method(performance, "now", () => now);
  mock.method(globalThis, "setInterval", (callback) => (look = callback));
  globalThis.window = { __tap: { all: () => connections } };
  t.after(() => delete globalThis.window);
  installGapMeter();
  const at = (moment) => {
    now = moment;
    look();
  };
  return { connections, at, longest: () => window.__gap.read().longest };
}

const connection = (timestamp) => ({ connectionState: "connected", timestamp, getReceivers() {
  return [{ getSynchronizationSources: () => [{ timestamp: this.timestamp }] }];
} });

test("a packet ends the silence", (t) => {
  const { connections, at, longest } = pretend(t);
  const one = connection(20);
  connections.push(one);
  at(20);
  one.timestamp = 900;
  at(900);
  assert.equal(longest(), 880);
});

test("a connection that is closed does not: the silence lasts until another one has a packet", (t) => {
  const { connections, at, longest } = pretend(t);
  const old = connection(20);
  connections.push(old);
  at(20);
  old.connectionState = "closed";
  at(500);
  assert.equal(longest(), 20);
  connections.push(connection(1200));
  at(1200);
  assert.equal(longest(), 1180);
});
