// Runs on the audio thread of a page under test, where nothing that keeps the page busy can stop it: for how long what is
// played was silent, by the clock of the sound itself.

/** Louder than this (root mean square, full scale is 1) is sound: -50 dB. */
const AUDIBLE = 10 ** (-50 / 20);
/** Blocks of 128 samples that are judged together: 10.7 ms at 48 kHz. */
const BLOCKS = 4;
/** As many in a row are sound; fewer are a click. */
const RUN = 3;
/** Closures within a word are shorter. */
const PAUSE = 0.2;

class SilenceMeter extends AudioWorkletProcessor {
  #square = 0;
  #samples = 0;
  #blocks = 0;
  /** How many windows in a row were sound, and when their run began. */
  #run = 0;
  #began = { time: 0, wall: 0 };
  /** The end of the last sound, in s on the clock of the sound. */
  #end = currentTime;
  #state = this.#fresh();

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === "forget") this.#forget();
      this.port.postMessage({ ...this.#state, steady: this.#steady() });
    };
  }

  /** `first` and `last`: when sound was first and last heard, in ms on the wall clock, which all pages share. */
  #fresh() {
    return { longest: 0, first: null, last: Date.now(), steadySince: null };
  }

  #forget() {
    this.#end = currentTime;
    this.#run = 0;
    this.#state = this.#fresh();
  }

  #steady() {
    const { steadySince } = this.#state;
    return steadySince === null || currentTime - this.#end > PAUSE ? 0 : this.#end - steadySince;
  }

  process([[samples]]) {
    for (const sample of samples ?? []) this.#square += sample * sample;
    this.#samples += samples?.length ?? 0;
    this.#blocks += 1;
    if (this.#blocks === BLOCKS) this.#judge();
    return true;
  }

  #judge() {
    const isSound = this.#samples > 0 && Math.sqrt(this.#square / (BLOCKS * 128)) > AUDIBLE;
    this.#square = this.#samples = this.#blocks = 0;
    if (!isSound) return void (this.#run = 0);
    if (this.#run === 0) this.#began = { time: currentTime, wall: Date.now() };
    this.#run += 1;
    if (this.#run >= RUN) this.#heard();
  }

  #heard() {
    const state = this.#state;
    const { time, wall } = this.#began;
    // Within a run the last sound has just been.
    const silent = this.#run === RUN ? Math.max(0, time - this.#end) : 0;
    if (silent > PAUSE) state.steadySince = null;
    state.longest = Math.max(state.longest, silent);
    state.first ??= wall;
    state.steadySince ??= time;
    state.last = Date.now();
    this.#end = currentTime;
  }
}

registerProcessor("silence-meter", SilenceMeter);
