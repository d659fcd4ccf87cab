/** Builds the dashboard into `dist`: hashed assets, no inline script or style, so that a strict CSP holds. */
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    target: ['chrome125', 'edge125', 'firefox128', 'safari18'],
    // A data: URL would need its own allowance in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    rolldownOptions: {
      output: {
        // What the first look needs is one file: a dozen shared ones take a tenth more bytes, and as many requests.
        codeSplitting: { groups: [{ name: 'page', tags: ['$initial'] }] },
      },
    },
  },
  worker: { format: 'es' },
});
