import { releaseContext, useContext } from './audio_context.js';

/** A track of exact silence, sent while there is no microphone: the far end's media does not time out, and tones work. */
export class Silence {
  #track: MediaStreamTrack | null = null;

  /** The track, or `null` where no audio context is to be had. */
  track(): MediaStreamTrack | null {
    if (this.#track !== null) return this.#track;
    const context = useContext();
    if (context === null) return null;
    const source = new ConstantSourceNode(context, { offset: 0 });
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    source.connect(destination);
    source.start();
    this.#track = destination.stream.getAudioTracks()[0] ?? null;
    return this.#track;
  }

  stop(): void {
    if (this.#track === null) return;
    this.#track.stop();
    this.#track = null;
    releaseContext();
  }
}
