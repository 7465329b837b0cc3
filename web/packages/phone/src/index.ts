/**
 * A complete SIP phone for web pages.
 *
 * ```ts
 * const phone = await createPhone({
 *   addressOfRecord: 'sip:alice@clearline.localhost',
 *   password: 'demo',
 *   servers: ['ws://127.0.0.1:8080/sip'],
 * });
 * await phone.start();
 * const call = phone.call('600');
 * await call.answered;
 * ```
 *
 * @packageDocumentation
 */

import type { CreatePhone } from './api.js';
import { openPhone } from './page/phone.js';

export type * from './api.js';
export { PhoneError } from './error.js';
export { browserMedia } from './media/session.js';

/** Loads the module and gives a phone; nothing is connected before `start()`. Rejects with a `PhoneError`. */
export const createPhone: CreatePhone = (config) => openPhone(config);
