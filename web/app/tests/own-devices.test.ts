import { expect, test } from 'vitest';
import { useLanguage } from '../src/i18n/i18n.js';
import { deviceName, namedDevices } from '../src/model/own-devices.js';

const named = (...names: (string | null)[]) => namedDevices(names.map((name, at) => ({ address: `sip:alice@example.test;gr=${at}`, name }))).map(({ name }) => name);

test('devices are told apart, whatever they call themselves', async () => {
  await useLanguage('en');
  expect(named('Desk', 'Chrome, Windows')).toEqual(['Desk', 'Chrome, Windows']);
  expect(named('Desk', null, 'Desk')).toEqual(['Desk (1)', 'Another device', 'Desk (2)']);
  expect(named(null, null)).toEqual(['Another device (1)', 'Another device (2)']);
  expect(named()).toEqual([]);
});

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36', 'Chrome, Linux'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0', 'Edge, Windows'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15', 'Safari, Mac'],
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0.0.0 Mobile/15E148 Safari/604.1', 'Chrome, iPhone'],
  ['Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0', 'Firefox, Android'],
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36', 'Chrome, Linux'],
  ['something else', ''],
])('%s is called %s', (agent, name) => expect(deviceName(agent)).toBe(name));
