/** A track of exact silence, sent while there is no microphone: the far end's media does not time out, and tones work. */
export class Silence {
  #context: AudioContext | null = null;
  #track: MediaStreamTrack | null = null;

  /** The track, or `null` where no audio context is to be had. */
  track(): MediaStreamTrack | null {
    if (this.#track !== null || typeof AudioContext === 'undefined') return this.#track;
    this.#context = new AudioContext();
    const source = new ConstantSourceNode(this.#context, { offset: 0 });
    const destination = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 1 });
    source.connect(destination);
    source.start();
    this.#track = destination.stream.getAudioTracks()[0] ?? null;
    return this.#track;
  }

  stop(): void {
    this.#track?.stop();
    this.#track = null;
    void this.#context?.close();
    this.#context = null;
  }
}
