import { LitElement } from 'lit';
import { locale } from '../i18n/i18n.js';
import type { Readable } from '../model/store.js';

/** A component: renders again when the language or a watched value changes, and lets go of them when it leaves. */
export class Component extends LitElement {
  #release: Array<() => void> = [];

  /** Values this component renders from; asked each time it is connected. */
  protected watched(): ReadonlyArray<Readable<unknown>> {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const update = (): void => this.requestUpdate();
    this.#release = [locale, ...this.watched()].map((value) => value.subscribe(update));
    this.requestUpdate();
  }

  /** What was asked for just before it left is not drawn any more: its parts may be gone. Coming back it draws anyhow. */
  protected override shouldUpdate(): boolean {
    return this.isConnected;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const release of this.#release) release();
    this.#release = [];
  }
}

/** Calls `draw` once per frame until told to stop; not at all while the page is hidden (the browser sees to it). */
export function everyFrame(draw: (now: number) => void): () => void {
  let handle = requestAnimationFrame(function frame(now) {
    handle = requestAnimationFrame(frame);
    draw(now);
  });
  return () => cancelAnimationFrame(handle);
}

export const reducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
