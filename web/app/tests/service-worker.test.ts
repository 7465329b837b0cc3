import { expect, test } from 'vitest';
import { planFetch } from '../src/service-worker/plan.js';

const scope = new URL('https://phone.test/u/alice/');
const plan = (path: string, mode = 'cors', method = 'GET') => planFetch(method, mode, new URL(path, scope), scope);

test.each([
  ['/u/alice/', 'navigate', 'shell'],
  ['/u/alice', 'navigate', 'shell'],
  ['/u/alice/calls?tel=1', 'navigate', 'shell'],
  ['/u/alicent/', 'navigate', 'network'],
  ['/u/bob/', 'navigate', 'network'],
  ['/u/alice/api/session', 'cors', 'network'],
  ['/u/alice/api/session', 'navigate', 'network'],
  ['/assets/app-abc.js', 'cors', 'asset'],
  ['/phone-worker.js', 'cors', 'network'],
  ['/sw.js', 'cors', 'network'],
  ['https://elsewhere.test/assets/x.js', 'cors', 'network'],
])('%s (%s) is served by %s', (path, mode, expected) => {
  expect(plan(path, mode)).toBe(expected);
});

test('only reading is ever served from here', () => {
  expect(plan('/assets/app.js', 'cors', 'POST')).toBe('network');
});
