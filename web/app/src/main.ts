import { html, render } from 'lit';
import { createPhone } from '@clearline/phone';
import { App, applyPreferences } from './model/app.js';
import { Settings } from './model/settings.js';
import { parseRoute } from './model/route.js';
import './components/app.js';
import './components/no-account.js';

/** Starts the app of the account the address names. */
async function start(root: HTMLElement): Promise<void> {
  const route = parseRoute(location.pathname);
  if (!route) {
    await applyPreferences(new Settings(localStorage, 'clearline-app'));
    render(html`<cl-no-account></cl-no-account>`, root);
    return;
  }
  linkManifest(route.base);
  const app = new App(route, createPhone);
  await applyPreferences(app.settings);
  render(html`<cl-app .app=${app}></cl-app>`, root);
  await app.begin();
}

/** Every account has its own manifest, so it cannot stand in the page. */
function linkManifest(base: string): void {
  const link = document.createElement('link');
  link.rel = 'manifest';
  link.href = `${base}manifest.webmanifest`;
  link.crossOrigin = 'use-credentials';
  document.head.append(link);
}

void start(document.body);
