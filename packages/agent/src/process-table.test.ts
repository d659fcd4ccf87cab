import { expect, test } from 'vitest';
import { ProbeError, ProcessTable, type SeenProcess } from './process-table.ts';

const RUN = '/h/runs/task/1-abc';
const shim = { pid: 100, startTicks: '5000' };

function seen(pid: number, changes: Partial<SeenProcess> = {}): SeenProcess {
  const unrelated = { parent: 1, group: pid, session: pid, state: 'S', marker: undefined, logs: [] };
  return { pid, startTicks: '5001', ...unrelated, ...changes };
}

function othersOf(processes: SeenProcess[]): number[] {
  return new ProcessTable({ processes })
    .othersOf(RUN, shim)
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
}

const alive = seen(100, { startTicks: '5000' });

test.each<[string, Partial<SeenProcess>, boolean]>([
  ['of its group', { group: 100 }, true],
  ['of its session', { session: 100 }, true],
  ['with its marker', { marker: RUN }, true],
  ['with the marker of another launch of the attempt', { marker: '/h/runs/task/1-def' }, true],
  ['with the marker of the same attempt in another home', { marker: '/other/runs/task/1-abc' }, false],
  ['with the marker of another attempt', { marker: '/h/runs/task/11-abc' }, false],
  ['with the marker of another task', { marker: '/h/runs/other/1-abc' }, false],
  ['that holds its log', { logs: ['/h/runs/task/1-abc/output.log'] }, true],
  ['that holds the log of another home', { logs: ['/other/runs/task/1-abc/output.log'] }, false],
  ['that holds the log of another attempt', { logs: ['/h/runs/task/2-abc/output.log'] }, false],
  ['that holds some other log', { logs: ['/var/log/output.log'] }, false],
  ['that has nothing to do with it', {}, false],
])('a process %s: %o', (_, changes, belongs) => {
  expect(othersOf([alive, seen(7, changes)])).toEqual(belongs ? [7] : []);
});

// Fails without: the comparison with the leader’s start time in `othersOf` (process-table.ts).
test('failure mode 4: a group whose number was given to somebody else is not the shim’s', () => {
  const stranger = seen(100, { startTicks: '6000' });
  const member = seen(7, { group: 100, session: 100, startTicks: '6001' });
  expect(othersOf([stranger, member])).toEqual([]);
  // Its leader may be gone too, as that of a daemon is.
  expect(othersOf([member])).toEqual([]);
  const zombies = [{ pid: 100, startTicks: '6000' }];
  expect(new ProcessTable({ processes: [member], zombies }).othersOf(RUN, shim)).toEqual([]);
});

test('a shim that ended and was not reaped still leads its group', () => {
  const table = new ProcessTable({ processes: [seen(7, { group: 100 })], zombies: [shim] });
  expect(table.shimOf(shim)).toBeUndefined();
  expect(table.othersOf(RUN, shim)).toHaveLength(1);
});

test.each(['group', 'session'] as const)(
  'a %s is the shim’s for as long as one of its members was there with it',
  (kind) => {
    const first = seen(7, { [kind]: 100 });
    const second = seen(8, { [kind]: 100, startTicks: '7000' });
    const third = seen(9, { [kind]: 100, startTicks: '8000' });
    let table = new ProcessTable({ processes: [alive, first] });
    const look = (...processes: SeenProcess[]) => {
      table = new ProcessTable({ processes, before: table });
      return table.othersOf(RUN, shim).map(({ pid }) => pid);
    };
    expect(look(first)).toEqual([7]);
    expect(look(first, second)).toEqual([7, 8]);
    expect(look(second)).toEqual([8]);
    // Nobody of the last look is left: the number may have been free in between.
    expect(look(third)).toEqual([]);
  },
);

test('one who joined a group of the same number, or has the pid of a member, keeps no number', () => {
  const before = new ProcessTable({ processes: [alive, seen(7, { group: 100 }), seen(8)] });
  const look = (process: SeenProcess) =>
    new ProcessTable({ processes: [process], before }).othersOf(RUN, shim);
  expect(look(seen(7, { group: 100, startTicks: '9000' }))).toEqual([]);
  expect(look(seen(8, { group: 100 }))).toEqual([]);
  expect(look(seen(7, { group: 100 }))).toHaveLength(1);
});

test('the shim itself is not among the others, also if it is marked and holds the log', () => {
  expect(othersOf([seen(100, { startTicks: '5000', marker: RUN, logs: [`${RUN}/output.log`] })])).toEqual([]);
});

test('a stranger that has the pid of a shim that is gone is no other either', () => {
  expect(othersOf([seen(100, { startTicks: '4000' })])).toEqual([]);
});

test('descendants belong to it, however they hide, and those of a stranger do not', () => {
  const processes = [
    alive,
    seen(7, { parent: 100 }),
    seen(8, { parent: 7, startTicks: '5002' }),
    seen(9, { parent: 8, startTicks: '5003' }),
    seen(10, { parent: 6 }),
    seen(6, { startTicks: '4000' }),
  ];
  expect(othersOf(processes)).toEqual([7, 8, 9]);
});

test('a child that is older than its parent is the child of somebody before it', () => {
  expect(
    othersOf([seen(7, { marker: RUN, startTicks: '6000' }), seen(8, { parent: 7, startTicks: '5500' })]),
  ).toEqual([7]);
});

test('without a known shim the marker and the log alone find an attempt', () => {
  const table = new ProcessTable({ processes: [seen(7, { marker: RUN }), seen(8, { group: 100 })] });
  expect(table.othersOf(RUN, undefined).map(({ pid }) => pid)).toEqual([7]);
});

test('one process that is evidence twice is told once', () => {
  expect(
    othersOf([seen(7, { group: 100, session: 100, marker: RUN, logs: [`${RUN}/output.log`], parent: 100 })]),
  ).toEqual([7]);
});

test('a shim is alive with its own start time only', () => {
  const table = new ProcessTable({ processes: [seen(100, { startTicks: '5000' })] });
  expect(table.shimOf(shim)?.pid).toBe(100);
  expect(table.shimOf({ ...shim, startTicks: '5001' })).toBeUndefined();
  expect(table.shimOf({ ...shim, startTicks: '' })).toBeUndefined();
  expect(table.shimOf({ ...shim, pid: 101 })).toBeUndefined();
});

test('P10: a shim that could not be looked at is neither alive nor gone', () => {
  const table = new ProcessTable({ processes: [], unreadable: new Set([100]) });
  expect(() => table.shimOf(shim)).toThrow(ProbeError);
  expect(table.shimOf({ ...shim, pid: 101 })).toBeUndefined();
});

test('where start times are coarse they may differ by the tolerance and no more', () => {
  const table = new ProcessTable({ processes: [seen(100, { startTicks: '1002' })], startTolerance: 2 });
  expect(table.shimOf({ pid: 100, startTicks: '1000' })).toBeDefined();
  expect(table.shimOf({ pid: 100, startTicks: '999' })).toBeUndefined();
  expect(table.othersOf(RUN, { pid: 100, startTicks: '1000' })).toEqual([]);
});
