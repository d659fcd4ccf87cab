/**
 * An agent that starts with 10,000 unfinished tasks in its journal: how soon it answers, how soon everything that has
 * evidence is settled. The answer is `GET /tasks/:id` of one of them, with its token.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { makeBacklog } from '../test/backlog.ts';
import { System } from '../test/system.ts';
import { median } from './measure.ts';
import type { Table } from './table.ts';

const ROUNDS = 5;
const UNFINISHED = 10_000;
const GOAL_MS = 1000;

interface Start {
  answersMs: number;
  settledMs: number;
}

async function measureStart(unfinished: number): Promise<Start> {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const parts = { ended: 0.5, vanished: 0.2, neverRan: 0.2, queued: 0.1 };
    const count = (part: number) => Math.round(part * unfinished);
    const ids = await makeBacklog(home, {
      ended: count(parts.ended),
      vanished: count(parts.vanished),
      neverRan: count(parts.neverRan),
      queued: count(parts.queued),
    });
    // Nothing new starts, so that settling alone is measured.
    await using system = new System({ home, env: { HOLDFAST_SLOTS: '0', HOLDFAST_SWEEP_MS: '5000' } });
    const began = performance.now();
    const starting = system.agent.start();
    const [id] = ids.queued;
    const answersMs = await firstAnswer(system, began, id);
    await starting;
    return { answersMs, settledMs: performance.now() - began };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function firstAnswer(system: System, began: number, id: string | undefined): Promise<number> {
  for (;;) {
    const pid = system.agent.pid;
    const url = pid === 0 ? undefined : system.discover('agent', pid);
    if (url !== undefined) {
      const headers = { authorization: `Bearer ${system.token('agent')}` };
      const path = id === undefined ? '/pool' : `/tasks/${id}`;
      if ((await fetch(`${url}${path}`, { headers })).status === 200) return performance.now() - began;
    }
    await wait(5);
  }
}

export async function measureStarts(): Promise<Table> {
  const rounds: Record<'empty' | 'full', Start[]> = { empty: [], full: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.empty.push(await measureStart(0));
    rounds.full.push(await measureStart(UNFINISHED));
  }
  const show = (values: readonly number[]) =>
    `${median(values).toFixed(0)} ms (${Math.min(...values).toFixed(0)} – ${Math.max(...values).toFixed(0)})`;
  const answers = rounds.full.map(({ answersMs }) => answersMs);
  return {
    question: `start with ${UNFINISHED.toLocaleString('en')} unfinished tasks in the journal`,
    rows: [
      {
        contestant: 'an empty journal: first answer',
        figure: show(rounds.empty.map((one) => one.answersMs)),
      },
      {
        contestant: 'a full one: first answer',
        figure: show(answers),
        goal: { text: '≤ 1 s', reached: median(answers) <= GOAL_MS },
      },
      {
        contestant: 'a full one: all evidence settled',
        figure: show(rounds.full.map((one) => one.settledMs)),
      },
    ],
    notes: [
      'from the spawn of the process, Node and all; half ended, a fifth vanished, a fifth never ran, a tenth waits',
    ],
  };
}
