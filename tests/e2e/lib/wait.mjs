// Waiting for conditions; nothing in these scenarios sleeps for a guess.

/**
 * Resolves with the first truthy result of `condition`, asked every `every` ms; fails with `what` after `timeout` ms.
 * A condition that throws counts as not yet true, and its last error is quoted.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} condition
 * @param {{ timeout?: number, every?: number }} [options]
 * @returns {Promise<NonNullable<T>>}
 */
export async function eventually(what, condition, { timeout = 15_000, every = 50 } = {}) {
  const end = performance.now() + timeout;
  let last = "";
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = `last value: ${JSON.stringify(value)}`;
    } catch (error) {
      last = `last error: ${error}`;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${timeout / 1000} s (${last})`);
    await passed(every);
  }
}

/** Lets real time pass, for instance while a recording runs. @param {number} ms */
export function passed(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
