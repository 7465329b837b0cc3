/** Plays a call's remote audio on the chosen device. */
export class Speaker {
  readonly #element = document.createElement('audio');
  #device: string | undefined;

  constructor(
    device: string | undefined,
    private readonly warn: (message: string) => void,
  ) {
    this.#element.autoplay = true;
    void this.setDevice(device);
  }

  play(stream: MediaStream): void {
    this.#element.srcObject = stream;
    this.#element.play().catch((error: unknown) => this.#blocked(error));
  }

  async setDevice(device: string | undefined): Promise<void> {
    if (device === this.#device || typeof this.#element.setSinkId !== 'function') return;
    this.#device = device;
    try {
      await this.#element.setSinkId(device ?? '');
    } catch (error) {
      // The chosen device is gone or forbidden: the default one plays on.
      this.warn(`the speaker cannot be used: ${String(error)}`);
    }
  }

  stop(): void {
    this.#element.pause();
    this.#element.srcObject = null;
  }

  /** Without a user gesture the browser may refuse to play; the next gesture makes up for it. */
  #blocked(error: unknown): void {
    if ((error as { name?: string } | null)?.name !== 'NotAllowedError') return;
    this.warn('playing must wait for a click or key');
    const again = (): void => {
      if (this.#element.srcObject !== null) void this.#element.play().catch(() => undefined);
    };
    for (const gesture of ['pointerdown', 'keydown']) document.addEventListener(gesture, again, { once: true });
  }
}
