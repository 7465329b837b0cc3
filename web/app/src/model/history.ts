import type { CallState, EndCause } from '@clearline/phone';
import { Store, type Readable } from './store.js';
import type { Records } from '../storage/database.js';

export type Outcome = 'missed' | 'received' | 'dialled' | 'declined' | 'elsewhere';

/** One call of this device's history. */
export interface HistoryEntry {
  readonly id: string;
  readonly outcome: Outcome;
  readonly name: string;
  readonly user: string;
  readonly uri: string;
  readonly startedAt: number;
  readonly answeredAt: number | null;
  readonly endedAt: number;
  readonly cause: EndCause;
  readonly sipStatus: number | null;
  /** With whom this user connected the other side in the end. */
  readonly transferredTo?: string;
  /** A missed call somebody has looked at. */
  readonly seen: boolean;
}

export type HistoryFilter = 'all' | 'missed' | 'received' | 'dialled';

export interface HistoryState {
  readonly status: 'loading' | 'ready' | 'failed';
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  readonly unseen: number;
}

const KEPT = 1000;

/** The calls of this device; all windows of the account write the same records and tell each other. */
export class History {
  readonly #state = new Store<HistoryState>({ status: 'loading', entries: [], unseen: 0 });

  constructor(
    private readonly records: Records<HistoryEntry>,
    /** Tells the other windows; they call {@link load}. */
    private readonly changed: () => void = () => undefined,
  ) {}

  get state(): Readable<HistoryState> {
    return this.#state;
  }

  async load(): Promise<void> {
    try {
      this.#publish(await this.records.all());
    } catch {
      this.#state.set({ status: 'failed', entries: this.#state.value.entries, unseen: this.#state.value.unseen });
    }
  }

  async record(call: CallState, transferredTo?: string): Promise<void> {
    if (!call.end) return;
    const entry = { ...entryOf(call), ...(transferredTo ? { transferredTo } : {}) };
    if (this.#state.value.entries.some((known) => known.id === entry.id)) return;
    this.#publish([entry, ...this.#state.value.entries]);
    await this.#store(this.records.add(entry));
    await this.#trim();
  }

  async markSeen(): Promise<void> {
    const unseen = this.#state.value.entries.filter((e) => !e.seen);
    if (unseen.length === 0) return;
    const seen = unseen.map((entry) => ({ ...entry, seen: true }));
    const byId = new Map(seen.map((entry) => [entry.id, entry]));
    this.#publish(this.#state.value.entries.map((entry) => byId.get(entry.id) ?? entry));
    await this.#store(this.records.put(seen));
  }

  async delete(ids: readonly string[]): Promise<void> {
    this.#publish(this.#state.value.entries.filter((entry) => !ids.includes(entry.id)));
    await this.#store(this.records.delete(ids));
  }

  /** Puts deleted entries back. */
  async restore(entries: readonly HistoryEntry[]): Promise<void> {
    this.#publish([...this.#state.value.entries, ...entries]);
    await this.#store(this.records.put(entries));
  }

  /** Storage may be full or denied; the list on screen stays right either way. */
  async #store(write: Promise<void>): Promise<void> {
    try {
      await write;
      this.changed();
    } catch {
      // Nothing a person could do now; the next start shows what was stored.
    }
  }

  async #trim(): Promise<void> {
    const surplus = this.#state.value.entries.slice(KEPT);
    if (surplus.length > 0) await this.delete(surplus.map((entry) => entry.id));
  }

  #publish(entries: readonly HistoryEntry[]): void {
    const sorted = [...entries].sort((a, b) => b.startedAt - a.startedAt);
    this.#state.set({ status: 'ready', entries: sorted, unseen: sorted.filter((entry) => !entry.seen).length });
  }
}

export function filtered(entries: readonly HistoryEntry[], filter: HistoryFilter): readonly HistoryEntry[] {
  return filter === 'all' ? entries : entries.filter((entry) => entry.outcome === filter);
}

/** Entries in groups of one local calendar day, newest first. */
export function byDay(entries: readonly HistoryEntry[]): Array<{ day: number; entries: HistoryEntry[] }> {
  const groups: Array<{ day: number; entries: HistoryEntry[] }> = [];
  for (const entry of entries) {
    const day = new Date(entry.startedAt).setHours(0, 0, 0, 0);
    const last = groups.at(-1);
    if (last?.day === day) last.entries.push(entry);
    else groups.push({ day, entries: [entry] });
  }
  return groups;
}

/** RFC 4180 text of the history. Cells that a spreadsheet would run as a formula are defused. */
export function toCsv(entries: readonly HistoryEntry[], header: readonly string[]): string {
  const rows = entries.map((entry) => [
    new Date(entry.startedAt).toISOString(),
    entry.outcome,
    entry.name,
    entry.user,
    String(entry.answeredAt === null ? 0 : Math.round((entry.endedAt - entry.answeredAt) / 1000)),
  ]);
  return [header, ...rows].map((row) => row.map(csvCell).join(',') + '\r\n').join('');
}

function csvCell(text: string): string {
  // A leading + is a phone number here, and digits only: harmless.
  const safe = /^[=@\t\r-]/.test(text) || /^\+.*[^\d+]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function entryOf(call: CallState): HistoryEntry {
  const outcome = outcomeOf(call);
  return {
    id: call.id,
    outcome,
    name: call.remote.displayName,
    user: call.remote.user,
    uri: call.remote.uri,
    startedAt: call.createdAt,
    answeredAt: call.answeredAt,
    endedAt: call.end?.at ?? Date.now(),
    cause: call.end?.cause ?? 'local-hang-up',
    sipStatus: call.end?.sipStatus ?? null,
    seen: outcome !== 'missed',
  };
}

function outcomeOf(call: CallState): Outcome {
  if (call.direction === 'outgoing') return 'dialled';
  if (call.answeredAt !== null) return 'received';
  switch (call.end?.cause) {
    case 'answered-elsewhere':
    case 'declined-elsewhere':
      return 'elsewhere';
    case 'declined':
    case 'rejected':
    case 'busy':
    case 'local-hang-up':
      return 'declined';
    default:
      return 'missed';
  }
}
