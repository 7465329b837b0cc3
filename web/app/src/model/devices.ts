import type { AudioDevices, Phone } from '@clearline/phone';
import { browser } from './browser.js';
import { Store, type Readable } from './store.js';
import type { Output } from '../audio/player.js';

export interface Device {
  readonly id: string;
  /** Empty until the microphone was allowed once. */
  readonly label: string;
}

export interface DevicesState {
  readonly microphones: readonly Device[];
  readonly speakers: readonly Device[];
  readonly chosen: AudioDevices;
  readonly permission: PermissionState | 'unknown';
  /** The browser tells names only after the microphone was allowed. */
  readonly named: boolean;
  /** Whether output devices can be chosen at all. */
  readonly canChooseOutput: boolean;
}

const NONE: DevicesState = {
  microphones: [],
  speakers: [],
  chosen: {},
  permission: 'unknown',
  named: false,
  canChooseOutput: typeof AudioContext !== 'undefined' && 'setSinkId' in AudioContext.prototype,
};

/** The machine's audio devices and which of them this account uses. */
export class Devices {
  readonly #state = new Store<DevicesState>(NONE);

  constructor(
    private readonly phone: Phone,
    private readonly route: (output: Output, deviceId: string | undefined) => void,
  ) {}

  get state(): Readable<DevicesState> {
    return this.#state;
  }

  /** Follows devices and permission from now on. */
  async watch(): Promise<void> {
    this.#route();
    browser().mediaDevices?.addEventListener('devicechange', () => void this.refresh());
    try {
      const permission = await navigator.permissions.query({ name: 'microphone' });
      const update = (): void => {
        this.#state.set({ ...this.#state.value, permission: permission.state });
        void this.refresh();
      };
      permission.addEventListener('change', update);
      update();
    } catch {
      await this.refresh();
    }
  }

  async refresh(): Promise<void> {
    const devices = (await browser().mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const of = (kind: MediaDeviceKind): Device[] =>
      devices
        .filter((d) => d.kind === kind && d.deviceId !== '' && d.deviceId !== 'default' && d.deviceId !== 'communications')
        .map((d) => ({ id: d.deviceId, label: d.label }));
    this.#state.set({
      ...this.#state.value,
      microphones: of('audioinput'),
      speakers: of('audiooutput'),
      chosen: this.phone.devices,
      named: devices.some((d) => d.label !== ''),
    });
    this.#route();
  }

  /** `undefined` returns to the system's default. */
  async choose(role: keyof AudioDevices, id: string | undefined): Promise<void> {
    const { [role]: _dropped, ...others } = this.phone.devices;
    const chosen: AudioDevices = id === undefined ? others : { ...others, [role]: id };
    await this.phone.setDevices(chosen);
    this.#state.set({ ...this.#state.value, chosen });
    this.#route();
  }

  /** Asks for the microphone once and closes it again; afterwards devices have names. */
  async allowMicrophone(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
      await this.refresh();
      return true;
    } catch {
      return false;
    }
  }

  #route(): void {
    const { speaker, ring } = this.phone.devices;
    this.route('ear', speaker);
    this.route('ring', ring);
  }
}
