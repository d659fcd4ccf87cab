import { expect, test } from 'vitest';
import { anAgent } from './samples.ts';
import { catchUpFrom, truthText, type TruthInput } from './truth.ts';

const said = (change: Partial<TruthInput>): string =>
  truthText({
    link: { state: 'live', ageMs: 800 },
    isReading: false,
    catchUp: undefined,
    agents: [],
    ...change,
  }).text;
const resyncing = (name: string, done: number, of: number) =>
  anAgent({ name, state: 'resyncing', progress: { done, of } });

test('an agent that resyncs is named with how far it is', () => {
  expect(said({ agents: [anAgent(), resyncing('build-2', 431, 2010)] })).toBe(
    'Resyncing 431 of 2,010 · build-2',
  );
});

test('several agents are one sum, and no sum where one of them does not know', () => {
  const two = [resyncing('a', 400, 2000), resyncing('b', 31, 10)];
  expect(said({ agents: two })).toBe('Resyncing 431 of 2,010 · 2 agents');
  expect(said({ agents: [...two, anAgent({ state: 'resyncing' })] })).toBe('Resyncing 3 agents');
});

test('what this browser has to catch up with comes first, and says how far', () => {
  expect(said({ catchUp: { done: 431, of: 2010 }, agents: [resyncing('a', 1, 2)] })).toBe(
    'Resyncing 431 of 2,010',
  );
  expect(said({ isReading: true })).toBe('Resyncing');
});

test('a link that is not live says nothing of what web reads', () => {
  const stale = { link: { state: 'stale', ageMs: 12_000 } as const, agents: [resyncing('a', 1, 2)] };
  expect(said(stale)).toBe('Stale 12 s');
  expect(said({ link: { state: 'blind', ageMs: 25_000, isTrying: true } })).toBe('Stale 25 s · connecting …');
  expect(said({ link: { state: 'blind', ageMs: 25_000, retryInMs: 2400 } })).toBe(
    'Stale 25 s · retry in 3 s',
  );
  expect(said({})).toBe('Live · proof 0.8 s ago');
});

test('only what does not fit one frame is worth a figure', () => {
  expect(catchUpFrom(100, 300)).toBeUndefined();
  expect(catchUpFrom(100, 301)).toEqual({ from: 100, head: 301 });
  expect(catchUpFrom(100, undefined)).toBeUndefined();
});
