import { expect, test } from 'vitest';
import { makeAgent, run, startFakeWeb } from '../test-kit.ts';

const claude = {
  name: 'claude',
  command: ['claude', '-p', '{prompt}'],
  executable: '/usr/bin/claude',
  source: 'builtin',
};
const mine = { name: 'mine', command: ['my tool', '{prompt}'], source: 'config' };

test('runners says where each is, or that it is not on the PATH that tasks get', async () => {
  await using web = await startFakeWeb();
  web.answers.set('GET /agents/agent-1/runners', () => [200, { items: [claude, mine] }]);
  const { code, stdout } = await run(['runners'], { home: web.home });
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^RUNNER +FOUND AT +FROM +COMMAND$/);
  expect(lines[1]).toMatch(/^claude +✓ \/usr\/bin\/claude +Holdfast +claude -p '\{prompt\}'$/);
  expect(lines[2]).toMatch(/^mine +✗ not on PATH +config\.json +'my tool' '\{prompt\}'$/);
  const json = await run(['runners', '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toEqual([
    { agentId: 'agent-1', agentName: 'laptop', ...claude },
    { agentId: 'agent-1', agentName: 'laptop', ...mine },
  ]);
});

test('of several agents each row names its own; one that cannot be asked is named and makes 75', async () => {
  await using web = await startFakeWeb();
  web.agents.push(makeAgent('a2', 'build-2'));
  web.answers.set('GET /agents/agent-1/runners', () => [200, { items: [claude] }]);
  web.answers.set('GET /agents/a2/runners', () => [
    503,
    { status: 503, code: 'agent_unreachable', detail: 'build-2 cannot be reached.' },
  ]);
  const { code, stdout, stderr } = await run(['runners'], { home: web.home });
  expect(code).toBe(75);
  expect(stdout).toMatch(/^laptop +claude /m);
  expect(stderr).toContain('agent build-2 was not asked: build-2 cannot be reached.');
  expect((await run(['runners', '--agent', 'laptop'], { home: web.home })).code).toBe(0);
});

test('runners of an agent that nobody has is refused by name', async () => {
  await using web = await startFakeWeb();
  const { code, stdout, stderr } = await run(['runners', '--agent', 'latpop'], { home: web.home });
  expect([code, stdout]).toEqual([4, '']);
  expect(stderr).toContain('there is no agent "latpop"\n(Did you mean laptop?)');
});

test('with --agent-url the agent itself is asked; none at all says what to do', async () => {
  await using agent = await startFakeWeb();
  agent.answers.set('GET /runners', () => [200, { items: [] }]);
  const direct = ['--agent-url', agent.url, '--token-file', `${agent.home}/web.token`];
  const { code, stdout, stderr } = await run(['runners', ...direct]);
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toContain('config.json');
});
