import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { BEARER, startTestApp, TOKEN } from '../test-app.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** A request with headers that fetch does not let through. */
function rawGet(url: string, headers: Record<string, string>): Promise<{ status: number; code: string }> {
  return new Promise((resolve, reject) => {
    request(url, { headers, setHost: !('host' in headers) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as { code: string };
        resolve({ status: answer.statusCode!, code: body.code });
      });
    })
      .on('error', reject)
      .end();
  });
}

test('a foreign host or origin is refused on every route, whoever asks', async () => {
  const { url } = await startTestApp(cleanups, { allowedHosts: ['web.lan'] });
  for (const path of ['/', '/livez', '/api/state', '/api/sign-in']) {
    expect(await rawGet(`${url}${path}`, { ...BEARER, host: 'evil.test' })).toEqual({
      status: 403,
      code: 'foreign_host',
    });
    expect(await rawGet(`${url}${path}`, { ...BEARER, origin: 'http://evil.test' })).toEqual({
      status: 403,
      code: 'foreign_origin',
    });
  }
  expect(
    (await rawGet(`${url}/api/state`, { ...BEARER, host: 'web.lan', origin: 'https://web.lan' })).status,
  ).toBe(200);
});

test('everything but health, the page and the sign-in needs a credential', async () => {
  const { call } = await startTestApp(cleanups);
  for (const path of [
    '/api/state',
    '/api/tasks',
    '/api/events',
    '/api',
    '/metrics',
    '/openapi.json',
    '/docs',
    '/api/nothing',
  ]) {
    expect(await call('GET', path, undefined, {})).toMatchObject({
      status: 401,
      body: { code: 'unauthorized' },
    });
  }
  for (const path of ['/', '/tasks/x', '/livez', '/readyz']) {
    expect((await call('GET', path, undefined, {})).status).toBe(200);
  }
  expect((await call('GET', '/api/state', undefined, { authorization: 'Bearer wrong' })).status).toBe(401);
});

test('failed guesses end in 429, while the token, a code and a cookie still pass', async () => {
  const { call } = await startTestApp(cleanups);
  const { code } = (await call('POST', '/api/login-codes')).body as { code: string };
  const cookie = (await call('POST', '/api/sign-in', { token: TOKEN }, {})).headers
    .get('set-cookie')!
    .split(';')[0]!;
  const statuses: number[] = [];
  for (let guess = 0; guess < 12; guess += 1) {
    statuses.push(
      (await call('POST', '/api/sign-in', guess % 2 === 0 ? { token: 'wrong' } : { code: 'wrong' }, {}))
        .status,
    );
  }
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  const limited = await call('GET', '/api/state', undefined, { authorization: 'Bearer wrong' });
  expect(limited).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await call('GET', '/api/state')).status).toBe(200);
  expect((await call('GET', '/api/state', undefined, { cookie })).status).toBe(200);
  expect((await call('POST', '/api/sign-in', { code }, {})).status).toBe(200);
  expect((await call('POST', '/api/sign-in', { token: TOKEN }, {})).status).toBe(200);
});

test('signing in gives a cookie that opens the API until it is given up', async () => {
  const { call, port } = await startTestApp(cleanups);
  const { code } = (await call('POST', '/api/login-codes')).body as { code: string };
  const entered = await call('POST', '/api/sign-in', { code }, {});
  const header = entered.headers.get('set-cookie')!;
  expect(header).toMatch(
    new RegExp(`^holdfast_${port}=[^;]+; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict$`),
  );
  const cookie = header.split(';')[0]!;
  expect((await call('GET', '/api/state', undefined, { cookie })).status).toBe(200);
  expect((await call('POST', '/api/sign-in', { code }, {})).status).toBe(401);
  const left = await call('POST', '/api/sign-out', undefined, { cookie });
  expect(left.status).toBe(204);
  expect(left.headers.get('set-cookie')).toMatch(/Max-Age=0/);
});

test('a cookie is no use to pages of other origins, nor for making codes', async () => {
  const { call } = await startTestApp(cleanups);
  const cookie = (await call('POST', '/api/sign-in', { token: TOKEN }, {})).headers
    .get('set-cookie')!
    .split(';')[0]!;
  for (const site of ['same-site', 'cross-site']) {
    const answer = await call('GET', '/api/state', undefined, { cookie, 'sec-fetch-site': site });
    expect(answer.status).toBe(401);
  }
  expect(
    (await call('GET', '/api/state', undefined, { cookie, 'sec-fetch-site': 'same-origin' })).status,
  ).toBe(200);
  expect((await call('POST', '/api/login-codes', undefined, { cookie })).status).toBe(401);
  expect((await call('GET', '/api/state', undefined, { cookie: `${cookie}x` })).status).toBe(401);
});

test('a cookie is marked Secure when the page came over https', async () => {
  const { call } = await startTestApp(cleanups, { allowedHosts: ['web.lan'] });
  const answer = await call('POST', '/api/sign-in', { token: TOKEN }, { origin: 'https://web.lan' });
  expect(answer.headers.get('set-cookie')).toContain('Secure');
});

test('what is neither token nor code is 422, never a guess', async () => {
  const { call } = await startTestApp(cleanups);
  for (const body of [{}, { token: TOKEN, code: 'x' }, { token: 1 }, { password: 'x' }]) {
    expect((await call('POST', '/api/sign-in', body, {})).status).toBe(422);
  }
});
