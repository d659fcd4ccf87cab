import { expect, test } from 'vitest';
import { makeTask, NOW, run, startFakeWeb, taskId } from '../test-kit.ts';

const id = taskId(7);
const base = { taskId: id, sessionId: 'nightly', attempt: 1 };
const items = [
  {
    ...base,
    attempt: 0,
    seq: 3,
    kind: 'submitted',
    from: null,
    to: 'queued',
    at: NOW,
    data: { task: makeTask(7) },
  },
  { ...base, seq: 4, kind: 'claimed', from: 'queued', to: 'starting', at: NOW + 1 },
  {
    ...base,
    seq: 5,
    kind: 'started',
    from: 'starting',
    to: 'running',
    at: NOW + 12,
    data: { process: { pid: 77, startedAt: NOW, verifiedAt: NOW } },
  },
  {
    ...base,
    seq: 9,
    kind: 'attention',
    from: 'running',
    to: 'running',
    at: NOW + 500,
    data: { code: 'claim_silent', message: 'evil\u001b[2J\nworker' },
  },
  {
    ...base,
    seq: 12,
    kind: 'failed',
    from: 'running',
    to: 'failed',
    at: NOW + 1042,
    reason: 'exit',
    data: { outcome: { reason: 'exit', exitCode: 3 }, endedAt: NOW, outputBytes: 1400 },
  },
];
const received = items.map(({ seq, at }) => ({ seq, generation: 1, receivedAt: at + 7 }));

test('events tells each with its number, both clocks, what became of the task, and why', async () => {
  await using web = await startFakeWeb();
  web.answers.set(`GET /tasks/${id}/events`, () => [200, { items, received }]);
  const { code, stdout, stderr } = await run(['events', id], { home: web.home });
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^SEQ +AT +RECEIVED +ATTEMPT +EVENT +STATUS +WHY$/);
  const ms = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.`;
  expect(lines[1]).toMatch(new RegExp(`^ +3 +${ms}000 +${ms}007 +0 +submitted +queued$`));
  expect(lines[2]).toMatch(/ claimed +queued → starting$/);
  expect(lines[3]).toMatch(/ started +starting → running +process 77$/);
  expect(lines[4]).toMatch(/ attention +running +claim_silent: evil worker$/);
  expect(lines[5]).toMatch(
    new RegExp(`^ 12 +${ms}042 +${ms}049 +1 +failed +running → failed +exit 3, 1.4 kB of output$`),
  );
  const json = await run(['events', id, '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toEqual({ items, received });
});

test('of an agent itself there is one clock; a task without events says why', async () => {
  await using agent = await startFakeWeb();
  agent.answers.set(`GET /tasks/${id}/events`, () => [200, { items }]);
  const direct = ['--agent-url', agent.url, '--token-file', `${agent.home}/web.token`];
  expect((await run(['events', id, ...direct])).stdout).toMatch(/^SEQ +AT +ATTEMPT +EVENT +STATUS +WHY\n/);
  agent.answers.set(`GET /tasks/${id}/events`, () => [200, { items: [], received: [] }]);
  const none = await run(['events', id], { home: agent.home });
  expect([none.code, none.stdout]).toEqual([0, '']);
  expect(none.stderr).toContain('There are no events yet');
});

test('a task that there is not is refused', async () => {
  await using web = await startFakeWeb();
  expect((await run(['events', id], { home: web.home })).code).toBe(4);
  expect((await run(['events', 'ffff'], { home: web.home })).code).toBe(4);
});
