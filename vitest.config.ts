import { defineConfig } from 'vitest/config';

// Unit tests sit beside their source; what crosses packages is in test/. The machine may be slow and shared:
// a test ends by an event, and these limits only end one that hangs.
export default defineConfig({
  test: {
    // Most of the time of a system test is waiting for leases, deadlines and grace: three fit on two cores.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/**/*.test.ts'] } },
      { extends: true, test: { name: 'system', include: ['test/**/*.test.ts'], testTimeout: 180_000 } },
    ],
  },
});
