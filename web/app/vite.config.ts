/// <reference types="vitest/config" />
import { defineConfig, type Plugin } from 'vite';
import { version } from './package.json';

/** Files the service worker keeps for offline use: everything that was built except itself and other people's pictures. */
function precache(): Plugin {
  return {
    name: 'clearline-precache',
    generateBundle(_options, bundle) {
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') return;
      const files = Object.keys(bundle)
        .filter((file) => /^assets\/.*\.(js|css|wasm)$/.test(file))
        .sort();
      const version = fingerprint(files.map((file) => contentOf(bundle[file])).concat(files));
      worker.code = worker.code
        .replaceAll('__PRECACHE_FILES__', JSON.stringify(files.map((file) => `/${file}`)))
        .replaceAll('__PRECACHE_VERSION__', JSON.stringify(version));
    },
  };
}

function contentOf(entry: { type: string; code?: string; source?: string | Uint8Array } | undefined): string {
  if (!entry) return '';
  return entry.type === 'chunk' ? (entry.code ?? '') : entry.source === undefined ? '' : String(entry.source);
}

/** FNV-1a: tells releases apart, nothing more. */
function fingerprint(parts: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 1) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

export default defineConfig({
  base: '/',
  define: { __APP_VERSION__: JSON.stringify(version) },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { app: 'index.html', sw: 'src/service-worker/sw.ts' },
      output: {
        // The browser finds a new service worker by its unchanged address.
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  worker: {
    format: 'es',
    rolldownOptions: {
      // All windows, old and new, must reach the same shared worker: its address never changes.
      output: { entryFileNames: 'phone-worker.js' },
    },
  },
  plugins: [precache()],
  server: {
    proxy: {
      '^/u/[^/]+/api/': 'http://127.0.0.1:8080',
      '/sip': { target: 'ws://127.0.0.1:8080', ws: true },
    },
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
});
