import { createLogger, loadConfig } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { Disk, type DiskStats } from './disk.ts';
import { startAgent } from './index.ts';
import { makeFolder, until } from './test-kit.ts';
import { makeSubmit } from './test-support.ts';

const MIB = 2 ** 20;

function openDisk(options: { totalMiB?: number; lowDiskMiB?: number } = {}) {
  const { totalMiB = 100_000, lowDiskMiB = 500 } = options;
  const state = { freeMiB: totalMiB, fails: false, looks: 0, at: 0, logged: 0 };
  const logger = createLogger('agent', 'silent');
  logger.warn = () => {
    state.logged += 1;
  };
  const disk = new Disk({
    path: '/home',
    lowDiskBytes: lowDiskMiB * MIB,
    logger,
    statfs: (): DiskStats => {
      state.looks += 1;
      if (state.fails) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return { blocks: totalMiB * 256, bavail: state.freeMiB * 256, bsize: 4096 };
    },
    now: () => 5000 + state.at,
    monotonic: () => state.at,
  });
  /** The answer one period later, with so much room. */
  const later = (freeMiB: number) => {
    state.at += 1000;
    state.freeMiB = freeMiB;
    return disk.attention;
  };
  return { disk, state, later };
}

test('a disk is low below the limit, and says how much is free, what is not done and what to do', () => {
  const { later } = openDisk();
  expect(later(500)).toBeUndefined();
  const low = later(499)!;
  expect(low).toMatchObject({ code: 'low_disk', sinceAt: 7000 });
  expect(low.message).toContain('499 MiB are free');
  expect(low.message).toContain('less than 500 MiB');
  expect(low.message).toContain('nothing is started');
  expect(low.message).toContain('Make room; at 550 MiB');
});

test('a small disk is not low because it is small: a twentieth of it is enough', () => {
  const { later } = openDisk({ totalMiB: 1000 });
  expect(later(51)).toBeUndefined();
  expect(later(49)?.message).toContain('less than 50 MiB');
});

test('a limit of 0 asks for no room', () => {
  expect(openDisk({ lowDiskMiB: 0 }).later(0)).toBeUndefined();
});

test('it ends by itself when a tenth more than the limit is free, so that it does not flap; since when stays', () => {
  const { later } = openDisk();
  later(100);
  expect(later(540)).toMatchObject({ sinceAt: 6000 });
  expect(later(540)?.message).toContain('540 MiB are free');
  expect(later(551)).toBeUndefined();
  expect(later(510)).toBeUndefined();
  expect(later(499)).toMatchObject({ sinceAt: 11_000 });
});

test('it is looked at once a second at most, however often it is asked', () => {
  const { disk, state, later } = openDisk();
  for (let n = 0; n < 50; n += 1) expect(disk.attention).toBeUndefined();
  state.freeMiB = 1;
  state.at += 999;
  expect(disk.attention).toBeUndefined();
  expect(state.looks).toBe(1);
  expect(later(1)).toBeDefined();
});

test('P10: a look that fails is no verdict: what was known stays, and it is logged once', () => {
  const { state, later } = openDisk();
  state.fails = true;
  expect(later(1)).toBeUndefined();
  expect(later(1)).toBeUndefined();
  expect(state.logged).toBe(1);
  state.fails = false;
  expect(later(1)).toBeDefined();
  state.fails = true;
  expect(later(90_000)).toMatchObject({ code: 'low_disk' });
  expect(later(90_000)).toMatchObject({ code: 'low_disk' });
  expect(state.logged).toBe(3);
});

test('an agent whose disk is nearly full starts and hands out nothing, and goes on by itself when there is room', async () => {
  using home = makeFolder();
  const flags = { home: home.path, agentPort: 0, sweepMs: 50 };
  const { config } = loadConfig({ flags, env: {} });
  let freeBlocks = 1000;
  const agent = await startAgent({
    config,
    logger: createLogger('agent', 'silent'),
    statfs: () => ({ blocks: 1_000_000, bavail: freeBlocks, bsize: 4096 }),
  });
  try {
    const call = async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`${agent.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
      };
    };
    const submit = async (queue: string) => {
      const { id, sessionId } = makeSubmit();
      const { status } = await call('POST', '/tasks', { id, sessionId, queue, spec: { command: ['true'] } });
      expect(status).toBe(201);
      return id;
    };
    const own = await submit('default');
    await submit('elsewhere');
    const claim = { claimId: 'one', queue: 'elsewhere', worker: 'a' };
    await until('it has swept', async () => (await fetch(`${agent.url}/readyz`)).ok);
    expect((await call('POST', '/claims', claim)).status).toBe(204);
    expect((await call('GET', '/pool')).body).toMatchObject({
      running: 0,
      queued: 1,
      paused: false,
      attention: [{ code: 'low_disk' }],
    });
    expect((await call('GET', '/agent')).body).toMatchObject({ pool: { attention: [{ code: 'low_disk' }] } });
    expect((await call('GET', `/tasks/${own}`)).body).toMatchObject({ status: 'queued' });
    const waiting = call('POST', '/claims', { ...claim, waitMs: 60_000 });
    freeBlocks = 900_000;
    expect((await waiting).status).toBe(200);
    await until('its own task is done', async () => {
      return (await call('GET', `/tasks/${own}`)).body['status'] === 'completed';
    });
    expect((await call('GET', '/pool')).body).not.toHaveProperty('attention');
  } finally {
    await agent.stop();
  }
});
