// The phone package as an embedding developer uses it, driven from the scenarios through `window`.

import { createPhone } from "/phone/dist/index.js";

/**
 * Makes a phone that is not started yet.
 * @param {import("../../../web/packages/phone/src/api").PhoneConfig & { answers?: boolean }} config
 */
window.preparePhone = async ({ answers = false, ...config }) => {
  window.log = [];
  const logger = (level, line) => window.log.push(`${level}: ${line}`);
  const phone = await createPhone({ ...config, logger });
  window.phone = phone;
  window.ended = [];
  phone.on("callEnded", (call) => window.ended.push(call.end.cause));
  phone.on("incoming", (call) => {
    window.call = call;
    if (answers) void call.answer();
  });
};

window.openPhone = async (config) => {
  await window.preparePhone(config);
  await window.phone.start();
};

window.dial = (target) => {
  window.call = window.phone.call(target);
  // A refusal is read from `ended`; without this it would be an unhandled rejection as well.
  window.call.answered.catch(() => undefined);
};
