import { beforeEach, expect, test } from 'vitest';
import type { CallState } from '@clearline/phone';
import { History, byDay, filtered, toCsv, type HistoryEntry } from '../src/model/history.js';
import { MemoryRecords } from '../src/storage/memory.js';
import { FakePhone } from '../src/testing/fake-phone.js';

let records: MemoryRecords<HistoryEntry>;
let history: History;
const phone = new FakePhone();

beforeEach(async () => {
  records = new MemoryRecords();
  history = new History(records);
  await history.load();
});

function over(changes: Partial<CallState>, end: Partial<NonNullable<CallState['end']>> = {}): CallState {
  const call = phone.add({ answeredAt: null, ...changes });
  phone.end(call.id, end);
  return call.state;
}

const outcomes = () => history.state.value.entries.map((entry) => entry.outcome);

test.each([
  [{ direction: 'outgoing' }, 'busy', 'dialled'],
  [{ direction: 'incoming', answeredAt: 5 }, 'remote-hang-up', 'received'],
  [{ direction: 'outgoing', answeredAt: 5 }, 'moved-to-conference', 'dialled'],
  [{ direction: 'incoming' }, 'missed', 'missed'],
  [{ direction: 'incoming' }, 'declined', 'declined'],
  [{ direction: 'incoming' }, 'answered-elsewhere', 'elsewhere'],
] as const)('%j ended by %s is %s', async (call, cause, outcome) => {
  await history.record(over(call, { cause }));
  expect(outcomes()).toEqual([outcome]);
});

test('a transferred call says with whom it was connected', async () => {
  await history.record(over({ direction: 'incoming', answeredAt: 5 }, { cause: 'transferred' }), 'Carol Souza');
  expect(history.state.value.entries[0]).toMatchObject({ outcome: 'received', transferredTo: 'Carol Souza' });
});

test('only a missed call waits to be seen; answered elsewhere is none', async () => {
  await history.record(over({ direction: 'incoming' }, { cause: 'missed' }));
  await history.record(over({ direction: 'incoming' }, { cause: 'answered-elsewhere' }));
  expect(history.state.value.unseen).toBe(1);
  await history.markSeen();
  expect(history.state.value.unseen).toBe(0);
  const again = new History(records);
  await again.load();
  expect(again.state.value.unseen).toBe(0);
});

test('the same call reported by two windows is one entry, and seen stays seen', async () => {
  const call = over({ direction: 'incoming' }, { cause: 'missed' });
  await history.record(call);
  await history.markSeen();
  const other = new History(records);
  await other.record(call);
  await other.load();
  expect(other.state.value).toMatchObject({ unseen: 0, entries: [{ id: call.id }] });
});

test('a deleted entry can be put back', async () => {
  await history.record(over({}));
  const [entry] = history.state.value.entries;
  await history.delete([entry!.id]);
  expect(history.state.value.entries).toEqual([]);
  await history.restore([entry!]);
  expect(history.state.value.entries).toEqual([entry]);
});

test('filters and days', async () => {
  const day = 86_400_000;
  const now = new Date(2026, 5, 15, 12).getTime();
  await history.record(over({ direction: 'incoming', createdAt: now }, { cause: 'missed' }));
  await history.record(over({ direction: 'outgoing', createdAt: now - 60_000 }));
  await history.record(over({ direction: 'outgoing', createdAt: now - day }));
  const { entries } = history.state.value;
  expect(filtered(entries, 'missed')).toHaveLength(1);
  expect(filtered(entries, 'dialled')).toHaveLength(2);
  expect(byDay(entries).map((group) => group.entries.length)).toEqual([2, 1]);
});

test('storage that fails is told, not hidden', async () => {
  const broken = new History({ all: () => Promise.reject(new Error('denied')) } as unknown as MemoryRecords<HistoryEntry>);
  await broken.load();
  expect(broken.state.value.status).toBe('failed');
});

test('the table quotes what needs it and defuses formulas', async () => {
  await history.record(over({ remote: { displayName: '=HYPERLINK("x"),"y"', user: '+4989123', uri: '' }, createdAt: 0 }, { at: 5 }));
  const [, row] = toCsv(history.state.value.entries, ['Time', 'Kind', 'Name', 'Number', 'Seconds']).split('\r\n');
  expect(row).toBe(`1970-01-01T00:00:00.000Z,dialled,"'=HYPERLINK(""x""),""y""",+4989123,0`);
});
