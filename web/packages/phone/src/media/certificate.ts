/**
 * A DTLS certificate made ahead of the next peer connection, because making one is the slowest part of it. Each has its
 * own: by another fingerprint the far end knows that a new DTLS association begins (RFC 8842 section 5).
 */

/** A certificate with less left of it is not used any more. */
const RESERVE_MS = 24 * 60 * 60_000;

const KEY: EcKeyGenParams = { name: 'ECDSA', namedCurve: 'P-256' };

let certificate: RTCCertificate | null = null;
let making = false;

/** Begins to make one, if there is none. */
export function prepareCertificate(): void {
  if (making || typeof RTCPeerConnection === 'undefined') return;
  making = true;
  RTCPeerConnection.generateCertificate(KEY).then(
    (made) => {
      certificate = made;
      making = false;
    },
    // The connection then makes its own.
    () => {
      making = false;
    },
  );
}

/** The configuration for it, empty if it is not there yet; begins to make the next one. */
export function takeCertificate(): Pick<RTCConfiguration, 'certificates'> {
  const taken = certificate;
  certificate = null;
  prepareCertificate();
  if (taken === null || taken.expires < Date.now() + RESERVE_MS) return {};
  return { certificates: [taken] };
}
