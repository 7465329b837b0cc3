/** A DTLS certificate made ahead of the first call; making one is the slowest part of a new peer connection. */

/** A certificate is renewed when less than this is left of it. */
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
    () => undefined,
  );
}

/** The configuration for it, empty until it is there. */
export function currentCertificate(): Pick<RTCConfiguration, 'certificates'> {
  if (certificate === null) return {};
  if (certificate.expires < Date.now() + RESERVE_MS) {
    certificate = null;
    prepareCertificate();
    return {};
  }
  return { certificates: [certificate] };
}
