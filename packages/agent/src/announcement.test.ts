import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { announceAgent, loadAgentId, readAnnouncement } from './announcement.ts';
import { makeFolder } from './test-kit.ts';

test('an agent keeps its id for as long as its home lives', () => {
  using home = makeFolder();
  const id = loadAgentId(home.path);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(loadAgentId(home.path)).toBe(id);
  expect(readdirSync(home.path)).toEqual(['agent.id']);
  expect(statSync(join(home.path, 'agent.id')).mode & 0o777).toBe(0o600);
});

test.each([
  ['nothing', ''],
  ['a path', '../../elsewhere'],
])('an id file that holds %s is refused with what to do, and not replaced', (_, text) => {
  using home = makeFolder();
  writeFileSync(join(home.path, 'agent.id'), text);
  expect(() => loadAgentId(home.path)).toThrow(ConfigError);
  expect(readFileSync(join(home.path, 'agent.id'), 'utf8')).toBe(text);
});

test('what an agent announces is read again, and what is damaged or missing is nobody', () => {
  using home = makeFolder();
  expect(readAnnouncement(home.path)).toBeUndefined();
  const id = loadAgentId(home.path);
  const said = { id, name: 'one', url: 'http://127.0.0.1:1', pid: 12, tokenFile: '/token' };
  announceAgent(home.path, said);
  expect(readAnnouncement(home.path)).toEqual(said);
  writeFileSync(join(home.path, 'agents', `${id}.json`), '{"url":');
  expect(readAnnouncement(home.path)).toBeUndefined();
});
