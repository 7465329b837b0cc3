import { defineConfig } from 'vite';

export default defineConfig({
  // The package's worker is an ES module that loads a WebAssembly module.
  worker: { format: 'es' },
  build: { target: 'es2022' },
  // Not bundled ahead: the package finds its worker and its module beside its own files.
  optimizeDeps: { exclude: ['@clearline/phone'] },
  server: {
    // The package is linked from this repository.
    fs: { allow: ['../..'] },
    // The server takes connections of its own pages only; here its pages come from Vite.
    proxy: { '/sip': { target: 'ws://127.0.0.1:8080', ws: true, changeOrigin: true, rewriteWsOrigin: true } },
  },
});
