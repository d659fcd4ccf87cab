import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import {
  FailureLimiter,
  guard,
  type GuardOptions,
  isAllowedHost,
  isAllowedOrigin,
  isLoopbackAddress,
  loadToken,
  secretsEqual,
} from './access.ts';
import { createApp, serveApp } from './service.ts';
import { call, makeFolder } from './test-support.ts';

const allowed = ['build.example', 'ci.example:8443', 'Bücher.example', '10.0.0.5', 'fe80::1'];

test.each([
  'localhost',
  'localhost:7401',
  'LocalHost:1',
  'localhost:',
  '127.0.0.1',
  '127.0.0.1:65535',
  '127.8.9.10:1',
  '127.1',
  '2130706433',
  '0x7f000001:80',
  '[::1]',
  '[::1]:7401',
  '[0:0:0:0:0:0:0:1]:7401',
  'build.example',
  'BUILD.Example:1234',
  'ci.example:8443',
  'xn--bcher-kva.example',
  '10.0.0.5:7400',
  '[fe80::1]:7400',
])('the host %j may be used', (host) => {
  expect(isAllowedHost(host, allowed)).toBe(true);
});

test.each([
  undefined,
  '',
  ' ',
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example:7401',
  // What resolves by DNS to this machine is just what rebinding uses.
  'localhost.',
  'foo.localhost',
  '0.0.0.0',
  '0.0.0.0:7401',
  '0',
  '[::]',
  '[::ffff:127.0.0.1]',
  '::1',
  '3232235777',
  '128.0.0.1',
  'build.example.',
  'build.example.evil',
  'notbuild.example',
  'ci.example',
  'ci.example:80',
  'ci.example:8444',
  'localhost@evil.example',
  'evil.example@localhost',
  'user:localhost@evil.example:7401',
  'evil.example/localhost',
  'evil.example#localhost',
  'evil.example?localhost',
  'evil.example\\localhost',
  'localhost:7401:7402',
  'localhost:99999',
  'localhost:x',
  'localhost, evil.example',
  'local\thost',
  'http://localhost',
])('the host %j may not be used', (host) => {
  expect(isAllowedHost(host, allowed)).toBe(false);
});

test('an entry with a port means this port alone, and without one any', () => {
  expect(isAllowedHost('a.example:80', ['a.example:80'])).toBe(true);
  expect(isAllowedHost('a.example', ['a.example:80'])).toBe(true);
  expect(isAllowedHost('a.example:8080', ['a.example:80'])).toBe(false);
  expect(isAllowedHost('a.example:8080', ['a.example'])).toBe(true);
  expect(isAllowedHost('evil.example', ['', ' ', '@', '://', '*'])).toBe(false);
});

test.each([
  undefined,
  'http://localhost:7400',
  'https://localhost',
  'http://127.0.0.1:3000',
  'http://[::1]:7400',
  'http://build.example',
  'https://build.example',
  'https://ci.example:8443',
])('a page of the origin %j may call', (origin) => {
  expect(isAllowedOrigin(origin, allowed)).toBe(true);
});

test.each([
  'null',
  '',
  'http://evil.example',
  'http://localhost@evil.example',
  'http://localhost.evil.example',
  'http://evil.example#http://localhost',
  'https://ci.example',
  'http://0.0.0.0:7401',
  'file://localhost',
  'chrome-extension://localhost',
  'data:text/html,x',
  'javascript://localhost',
  'http://localhost:7400, http://evil.example',
  'localhost',
])('a page of the origin %j may not call', (origin) => {
  expect(isAllowedOrigin(origin, allowed)).toBe(false);
});

test('no text makes the checks of Host and Origin throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(typeof isAllowedHost(text, [text])).toBe('boolean');
      expect(typeof isAllowedOrigin(text, [text])).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
});

test('an address is loopback only if it can mean nothing else', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.1', '::1', '[::1]']) {
    expect(isLoopbackAddress(host)).toBe(true);
  }
  for (const host of ['0.0.0.0', '::', '', '127.0.0.1.nip.io', '127.999.0.1', '10.0.0.1', 'host']) {
    expect(isLoopbackAddress(host)).toBe(false);
  }
});

test('secrets are equal only whole, at any length', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      expect(secretsEqual(a, a)).toBe(true);
      expect(secretsEqual(a, b)).toBe(a === b);
      expect(secretsEqual(a, `${a}x`)).toBe(false);
    }),
  );
});

test('a token is made once, for its owner alone, and found again', () => {
  using folder = makeFolder();
  const path = join(folder.path, 'deep', 'agent.token');
  const token = loadToken(path);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder.path, 'deep')).mode & 0o777).toBe(0o700);
  expect(loadToken(path)).toBe(token);
  expect(readdirSync(join(folder.path, 'deep'))).toEqual(['agent.token']);
  expect(loadToken(join(folder.path, 'other.token'))).not.toBe(token);
});

test('a token that a person wrote is taken, and made private', () => {
  using folder = makeFolder();
  const path = join(folder.path, 'agent.token');
  writeFileSync(path, '  a-token-by-hand-0123\n');
  chmodSync(path, 0o644);
  expect(loadToken(path)).toBe('a-token-by-hand-0123');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('an empty or short token is refused with what to do, and left', () => {
  using folder = makeFolder();
  const path = join(folder.path, 'agent.token');
  for (const content of ['', 'short\n']) {
    writeFileSync(path, content);
    expect(() => loadToken(path)).toThrow(`${path} holds no usable token: delete it, and a new one is made`);
    expect(readFileSync(path, 'utf8')).toBe(content);
  }
});

test('of services that start at once one makes the token and all read it', async () => {
  using folder = makeFolder();
  const go = join(folder.path, 'go');
  const script = `
    import { existsSync } from 'node:fs';
    import { loadToken } from ${JSON.stringify(new URL('access.ts', import.meta.url).href)};
    console.log('ready');
    while (!existsSync(${JSON.stringify(go)}));
    const tokens = [];
    for (let n = 0; n < 40; n += 1) tokens.push(loadToken(${JSON.stringify(folder.path)} + '/token-' + n));
    console.log(tokens.join());
  `;
  const racers = Array.from({ length: 2 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    const started = Promise.withResolvers<void>();
    child.stdout.on('data', (text: Buffer) => {
      lines.push(String(text));
      started.resolve();
    });
    return {
      started: started.promise,
      closed: once(child, 'close'),
      output: () => lines.join('').split('\n')[1],
    };
  });
  await Promise.all(racers.map((racer) => racer.started));
  writeFileSync(go, '');
  await Promise.all(racers.map((racer) => racer.closed));
  const [one, other] = racers.map((racer) => racer.output());
  expect(one?.split(',')).toHaveLength(40);
  expect(other).toBe(one);
});

test('after ten failures further ones are refused for a minute, then counted anew', () => {
  let now = 5000;
  const limiter = new FailureLimiter({ now: () => now });
  for (let n = 0; n < 10; n += 1) {
    now += 5000;
    expect(limiter.fail('a')).toBe(0);
  }
  expect(limiter.fail('a')).toBe(60);
  expect(limiter.fail('b')).toBe(0);
  now += 59_999;
  expect(limiter.fail('a')).toBe(1);
  now += 1;
  for (let n = 0; n < 10; n += 1) expect(limiter.fail('a')).toBe(0);
  expect(limiter.fail('a')).toBe(60);
});

test('fewer than ten failures in a minute are no series', () => {
  let now = 0;
  const limiter = new FailureLimiter({ now: () => now });
  for (let n = 0; n < 100; n += 1) {
    expect(limiter.fail('a')).toBe(0);
    now += 6700;
  }
});

test('the limiter remembers a bounded number of addresses, the newest', () => {
  const limiter = new FailureLimiter({ now: () => 0 });
  for (let n = 0; n < 12_000; n += 1) limiter.fail(`old-${n}`);
  for (let n = 0; n < 10; n += 1) limiter.fail('guesser');
  for (let n = 0; n < 9000; n += 1) limiter.fail(`new-${n}`);
  expect(limiter.size).toBe(10_000);
  expect(limiter.fail('guesser')).toBeGreaterThan(0);
});

const token = 'the-token-of-this-test';

async function startGuarded(options: Partial<GuardOptions> = {}) {
  let called = 0;
  const app = createApp({
    title: 'test',
    description: 'test',
    logger: pino({ level: 'silent' }),
    guard: guard({
      token,
      allowedHosts: [],
      limiter: new FailureLimiter({ now: () => 0 }),
      isPublic: (path) => path === '/livez',
      ...options,
    }),
  });
  app.get('/livez', (context) => context.text('ok'));
  app.all('/secret', (context) => {
    called += 1;
    return context.text('secret');
  });
  const server = await serveApp(app, '127.0.0.1', 0);
  return { ...server, called: () => called, [Symbol.asyncDispose]: server.stop };
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

test('without a token there is 401, with the right one the answer, with a wrong one 401', async () => {
  await using server = await startGuarded();
  const bare = await call(`${server.url}/secret`);
  expect(bare).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
  expect(JSON.parse(bare.body)).toMatchObject({ code: 'unauthorized', instance: '/secret' });
  for (const headers of [
    bearer('wrong'),
    bearer(''),
    bearer(`${token}x`),
    { authorization: `Basic ${token}` },
  ]) {
    expect((await call(`${server.url}/secret`, { headers })).status).toBe(401);
  }
  expect(server.called()).toBe(0);
  for (const headers of [bearer(token), { authorization: `bearer  ${token}` }]) {
    expect((await call(`${server.url}/secret`, { headers })).body).toBe('secret');
  }
  expect((await call(`${server.url}/secret?token=${token}`)).status).toBe(401);
});

test('another credential is asked after the token, and either lets in', async () => {
  await using server = await startGuarded({
    accepts: (context) => context.req.header('cookie') === 'signed-in',
  });
  const cookie = 'signed-in';
  expect((await call(`${server.url}/secret`, { headers: { cookie } })).status).toBe(200);
  expect((await call(`${server.url}/secret`, { headers: { cookie, ...bearer('wrong') } })).status).toBe(200);
  expect((await call(`${server.url}/secret`, { headers: { cookie: 'other' } })).status).toBe(401);
});

test('a foreign Host or Origin is refused on every route, the public ones and unknown ones too', async () => {
  await using server = await startGuarded();
  for (const path of ['/livez', '/secret', '/docs', '/openapi.json', '/nothing']) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const rebound = await call(`${server.url}${path}`, {
        method,
        headers: { host: 'evil.example', ...bearer(token) },
      });
      expect(rebound.status).toBe(403);
      expect(rebound.headers['content-type']).toBe('application/problem+json');
      expect(JSON.parse(rebound.body)).toMatchObject({ code: 'foreign_host' });
      for (const origin of ['http://evil.example', 'null']) {
        const foreign = await call(`${server.url}${path}`, { method, headers: { origin, ...bearer(token) } });
        expect(foreign.status).toBe(403);
        expect(JSON.parse(foreign.body)).toMatchObject({ code: 'foreign_origin' });
        expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
      }
    }
  }
  expect(server.called()).toBe(0);
  expect((await call(`${server.url}/livez`)).body).toBe('ok');
});

test.each(['', 'a b', 'evil.example@localhost', 'localhost/secret', '[::1'])(
  'a Host of %j on the wire is refused',
  async (host) => {
    await using server = await startGuarded();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part);
    expect(Buffer.concat(parts).toString()).toMatch(/^HTTP\/1\.1 40[03] [^]*application\/problem\+json/);
  },
);

test('an allowed host lets its own pages call, and no others', async () => {
  await using server = await startGuarded({ allowedHosts: ['Build.example'] });
  const headers = { host: 'build.example:7400', origin: 'https://build.example' };
  expect((await call(`${server.url}/livez`, { headers })).status).toBe(200);
  expect((await call(`${server.url}/livez`, { headers: { ...headers, origin: 'http://x' } })).status).toBe(
    403,
  );
});

test('P11: ten wrong tokens are answered 401, then 429, and the right one always passes', async () => {
  await using server = await startGuarded();
  const statuses: number[] = [];
  for (let n = 0; n < 12; n += 1) {
    statuses.push((await call(`${server.url}/secret`, { headers: bearer(`guess-${n}`) })).status);
  }
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  const refused = await call(`${server.url}/secret`, { headers: bearer('again') });
  expect(refused.headers['retry-after']).toBe('60');
  expect(JSON.parse(refused.body)).toMatchObject({ code: 'rate_limited', status: 429 });
  expect((await call(`${server.url}/secret`, { headers: bearer(token) })).status).toBe(200);
  // Who shows no credential guesses nothing.
  expect((await call(`${server.url}/secret`)).status).toBe(401);
});

test('a refused token is not told back', async () => {
  await using server = await startGuarded();
  const answer = await call(`${server.url}/secret`, { headers: bearer('my-other-secret') });
  expect(answer.body + JSON.stringify(answer.headers)).not.toContain('my-other-secret');
});
