/**
 * Chooses and orders codecs. Opus first; both clock rates of telephone-event stay, because Chromium sends only the end
 * packets of a digit when Opus has no telephone-event of its own rate. Redundancy and comfort noise are left out: the
 * first is of no use unless it comes first, the second makes old gateways send silence as noise.
 */

const WANTED = ['audio/opus', 'audio/G722', 'audio/PCMA', 'audio/PCMU', 'audio/telephone-event'].map((type) =>
  type.toLowerCase(),
);

/** The codecs for `RTCRtpTransceiver.setCodecPreferences`, in order. */
export function preferredCodecs(capabilities: readonly RTCRtpCodec[]): RTCRtpCodec[] {
  return WANTED.flatMap((wanted) => capabilities.filter((codec) => codec.mimeType.toLowerCase() === wanted));
}

/** Applies the preference where the browser can; without it the browser's own order holds. */
export function preferCodecs(transceiver: RTCRtpTransceiver): void {
  if (typeof transceiver.setCodecPreferences !== 'function') return;
  const codecs = preferredCodecs(RTCRtpReceiver.getCapabilities('audio')?.codecs ?? []);
  if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
}
