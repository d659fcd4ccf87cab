import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hono } from 'hono';
import { afterEach, expect, test } from 'vitest';
import { serveDashboard } from './dashboard.ts';
import { makeHome } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).toReversed()) clean();
});

function setUp() {
  const home = makeHome(cleanups);
  const folder = join(home, 'dist');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(home, 'web.token.txt'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Holdfast</title>');
  writeFileSync(join(folder, 'assets', 'index-abc123.js'), 'export {}');
  writeFileSync(join(folder, 'favicon.svg'), '<svg/>');
  const app = new Hono();
  app.get('/api/state', (context) => context.text('state'));
  app.use(serveDashboard(folder));
  return { app, folder };
}

test('every path that names no file is a page, asked for anew each time', async () => {
  const { app } = setUp();
  for (const path of ['/', '/tasks/019a', '/sessions/s1?status=running', '/sessions/nightly-1.2.js']) {
    const answer = await app.request(path);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('Holdfast');
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-cache');
  }
});

test('what the build named by its content may be kept for ever', async () => {
  const { app } = setUp();
  const asset = await app.request('/assets/index-abc123.js');
  expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(asset.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  const icon = await app.request('/favicon.svg');
  expect(icon.headers.get('cache-control')).toBe('no-cache');
});

test('a file that did not change is not sent again; one that did is', async () => {
  const { app, folder } = setUp();
  const etag = (await app.request('/')).headers.get('etag')!;
  const again = await app.request('/', { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Newer</title>');
  expect((await app.request('/', { headers: { 'if-none-match': etag } })).status).toBe(200);
});

test('nothing outside the build can be named', async () => {
  const { app } = setUp();
  for (const path of [
    '/../web.token.txt',
    '/assets/../../web.token.txt',
    '/%2e%2e/web.token.txt',
    '/..%2fweb.token.txt',
    '/assets/..%5c..%5cweb.token.txt',
    '/web.token.txt%00.html',
    '/nothing.js',
    '/assets/nothing',
    '/assets/no.where/x.js',
    `/${'a'.repeat(5000)}.js`,
  ]) {
    const answer = await app.request(path);
    expect(answer.status).toBe(404);
  }
});

test('the service’s own paths and other methods are left alone', async () => {
  const { app } = setUp();
  expect(await (await app.request('/api/state')).text()).toBe('state');
  for (const path of ['/api', '/api/nothing', '/livez', '/metrics', '/docs', '/openapi.json']) {
    expect((await app.request(path)).status).toBe(404);
  }
  expect((await app.request('/', { method: 'POST' })).status).toBe(404);
});

test('a dashboard that was not built says what to do', async () => {
  const app = new Hono();
  app.use(serveDashboard(join(makeHome(cleanups), 'nothing')));
  const answer = await app.request('/');
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('pnpm build')]);
});
