// Notes when the first sound of a call reaches a page; installed like the tap, the same for every phone.

/** Installed by `addInitScript`; must not use anything from outside. */
export function installFirstSound() {
  // Started with the page: opening the sound system is not part of any phone's time.
  const context = new AudioContext({ sampleRate: 48000 });
  const Original = window.RTCPeerConnection;
  window.__firstSound = { at: null };
  window.RTCPeerConnection = class RTCPeerConnection extends Original {
    constructor(...parameters) {
      super(...parameters);
      this.addEventListener("track", ({ track }) => {
        const stream = new MediaStream([track]);
        const element = new Audio();
        element.muted = true;
        element.srcObject = stream;
        void element.play().catch(() => undefined);
        // 256 samples: 5 ms.
        const processor = context.createScriptProcessor(256, 1, 1);
        processor.onaudioprocess = ({ inputBuffer }) => {
          const loud = inputBuffer.getChannelData(0).some((sample) => Math.abs(sample) > 0.003);
          if (loud) window.__firstSound.at ??= performance.timeOrigin + performance.now();
        };
        context.createMediaStreamSource(stream).connect(processor).connect(context.destination);
      });
    }
  };
}
