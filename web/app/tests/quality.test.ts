import { expect, test } from 'vitest';
import { meanOpinion, qualityBetween, sampleOf, type QualitySample } from '../src/model/quality.js';

const sample = (changes: Partial<QualitySample> = {}): QualitySample => ({
  atMs: 0,
  packetsReceived: 0,
  packetsLost: 0,
  jitterMs: 3,
  roundTripMs: 40,
  bufferMs: 40,
  codec: 'opus',
  remoteLoss: null,
  ...changes,
});

const grade = (now: Partial<QualitySample>) => qualityBetween(sample(), sample({ packetsReceived: 100, ...now }))?.grade;

test('a clean call is good, loss and delay make it worse', () => {
  expect(grade({})).toBe('good');
  expect(grade({ packetsLost: 5 })).toBe('fair');
  expect(grade({ packetsLost: 25 })).toBe('poor');
  expect(grade({ roundTripMs: 900 })).toBe('poor');
});

test('what the other side loses counts as well', () => {
  expect(grade({ remoteLoss: 0.2 })).toBe('poor');
});

test('without packets there is no verdict', () => {
  expect(qualityBetween(sample(), sample())).toBeNull();
});

test('the score falls with loss and with delay', () => {
  const scores = [0, 0.01, 0.05, 0.2].map((loss) => meanOpinion(loss, 80));
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(meanOpinion(0, 400)).toBeLessThan(meanOpinion(0, 100));
});

test('a report is read', () => {
  const report = new Map([
    ['i', { id: 'i', type: 'inbound-rtp', kind: 'audio', packetsReceived: 50, packetsLost: 1, jitter: 0.002, codecId: 'c', jitterBufferDelay: 4, jitterBufferEmittedCount: 100 }],
    ['c', { id: 'c', type: 'codec', mimeType: 'audio/opus' }],
    ['r', { id: 'r', type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.05, fractionLost: 0.1 }],
  ]) as unknown as RTCStatsReport;
  expect(sampleOf(report, { delay: 0, count: 0 })).toMatchObject({ codec: 'opus', bufferMs: 40, roundTripMs: 50, jitterMs: 2, remoteLoss: 0.1 });
  expect(sampleOf(new Map() as unknown as RTCStatsReport, { delay: 0, count: 0 })).toBeNull();
});
