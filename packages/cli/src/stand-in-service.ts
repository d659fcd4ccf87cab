/**
 * A service for the tests of `up`: `node stand-in-service.ts <agent|web> --home <dir>`. It announces itself, answers
 * `/readyz` and gives login codes, and notes in `<home>/<name>.notes` what happens to it. `<home>/<name>.mode`, read
 * at each start, makes it fail: `die` (in its start), `die-once` (in its first start), `stubborn` (deaf to SIGTERM),
 * `hang-once` (in its first start, and deaf).
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [name = '', ...args] = process.argv.slice(2);
const home = args[args.indexOf('--home') + 1] ?? '';
const modePath = join(home, `${name}.mode`);
const mode = existsSync(modePath) ? readFileSync(modePath, 'utf8') : '';
const note = (text: string): void => appendFileSync(join(home, `${name}.notes`), `${text}\n`);

note(`start ${process.pid} ${args.join(' ')} log=${process.env.HOLDFAST_LOG_LEVEL}`);
if (mode === 'die' || mode === 'die-once') {
  if (mode === 'die-once') rmSync(modePath);
  process.stderr.write(`${JSON.stringify({ level: 50, msg: 'the port is taken' })}\nplain words\n`);
  process.exit(3);
}
const hangs = mode === 'hang-once';
process.on('SIGTERM', () => {
  note('SIGTERM');
  if (mode !== 'stubborn' && !hangs) process.exit(0);
});
if (hangs) {
  rmSync(modePath);
  note('hangs');
}
const server = createServer((request, response) => {
  const isCode =
    request.url === '/api/login-codes' && request.headers.authorization === 'Bearer the-web-token';
  response.writeHead(!hangs && (isCode || request.url === '/readyz') ? 200 : 401, {
    'content-type': 'application/json',
  });
  response.end(JSON.stringify({ code: 'one-time' }));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const file = { id: 'a1', name: 'laptop', url, pid: process.pid };
  mkdirSync(join(home, 'agents'), { recursive: true });
  writeFileSync(join(home, 'web.token'), 'the-web-token');
  process.stderr.write(`${JSON.stringify({ level: 40, msg: 'a warning' })}\n`);
  writeFileSync(join(home, name === 'web' ? 'web.json' : 'agents/a1.json'), JSON.stringify(file));
});
