/**
 * Pictures of the gallery's states, to be looked at: `npm run screens -- [state ...]`.
 * Needs the development server (`npm run dev`) and Chromium; writes to `--out` (default: a folder in the temporary directory).
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : args.splice(at, 2)[1];
};
const out = option('out', join(tmpdir(), 'clearline-screens'));
const base = option('base', 'http://127.0.0.1:5173');
const executablePath = option('chromium', process.env.CHROMIUM ?? '/usr/bin/chromium');
const sizes = option('sizes', '360x640,840x600,1440x900').split(',').map((size) => size.split('x').map(Number));
const themes = option('themes', 'light,dark').split(',');
const languages = option('languages', 'en,de').split(',');
const states = args.length > 0 ? args : ['phone', 'phone-number', 'incoming', 'active', 'waiting', 'two', 'ended', 'offline', 'calls', 'contacts', 'settings', 'sign-in'];

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
let failed = 0;
for (const [width, height] of sizes) {
  const page = await browser.newPage({ viewport: { width, height } });
  page.on('pageerror', (error) => {
    failed += 1;
    console.error(`${page.url()}: ${error.message}`);
  });
  for (const theme of themes) {
    for (const language of languages) {
      for (const state of states) {
        await page.goto(`${base}/gallery.html?state=${state}&lang=${language}&theme=${theme}`);
        await page.locator('cl-desk, cl-sign-in').first().waitFor();
        await page.waitForTimeout(['active', 'two', 'reconnecting'].some((s) => state.startsWith(s)) ? 4500 : 700);
        const file = join(out, `${state}-${width}x${height}-${theme}-${language}.png`);
        await page.screenshot({ path: file });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        if (wide) console.error(`${file}: wider than the window`);
      }
    }
  }
  await page.close();
}
await browser.close();
console.log(`${out}: done${failed ? `, ${failed} errors` : ''}`);
process.exitCode = failed ? 1 : 0;
