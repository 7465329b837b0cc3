/** The host in the page itself, for pages that cannot or do not want to use a worker. */

import { portPair, type WindowPort } from '../protocol.js';
import { SignallingHost } from './signalling_host.js';
import { browserSurroundings } from './surroundings.js';

/** Starts a host for this window. */
export function hostInPage(): WindowPort {
  const host = new SignallingHost(browserSurroundings('page', () => undefined));
  const ports = portPair();
  host.attach(ports.host);
  return ports.window;
}
