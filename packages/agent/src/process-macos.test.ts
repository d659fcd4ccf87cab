import { expect, test } from 'vitest';
import { openMacosView, parsePs } from './process-macos.ts';
import { ProbeError } from './process-table.ts';

// As macOS 15 prints it with LC_ALL=C and TZ=UTC0.
const CAPTURED = `    1     0     1      0 Ss   Mon Nov  3 07:12:09 2025
  612     1   612      0 S    Fri Nov 21 09:01:44 2025
 4711   612  4711      0 Ss   Fri Nov 21 12:30:00 2025
 4712  4711  4711      0 S+   Fri Nov 21 12:30:00 2025
 4713  4711  4711      0 Z    Fri Nov 21 12:30:01 2025
`;

test('ps is read by its columns, zombies are left out, times are seconds since the epoch', () => {
  const processes = parsePs(CAPTURED);
  expect(processes.map(({ pid }) => pid)).toEqual([1, 612, 4711, 4712]);
  expect(processes[3]).toEqual({
    pid: 4712,
    parent: 4711,
    group: 4711,
    session: 4711,
    state: 'S',
    startTicks: String(Date.UTC(2025, 10, 21, 12, 30) / 1000),
    marker: undefined,
    logs: [],
  });
});

test('P10: a line that cannot be read is a failed look', () => {
  expect(() => parsePs(`${CAPTURED}ps: something went wrong\n`)).toThrow(ProbeError);
});

function view(answers: Record<string, string | Error>) {
  return openMacosView({
    self: 612,
    run: (file, args) => {
      const answer = answers[file === '/bin/ps' && args.includes('-ax') ? 'all' : file];
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('not expected');
      return answer;
    },
  });
}

test('an attempt is found by group and descendants, with the tolerance of whole seconds', () => {
  const shim = { pid: 4711, startTicks: String(Date.UTC(2025, 10, 21, 12, 30, 1) / 1000) };
  const table = view({ all: CAPTURED }).scan();
  expect(table.shimOf(shim)?.pid).toBe(4711);
  expect(table.othersOf('/h/runs/t/1-a', shim).map(({ pid }) => pid)).toEqual([4712]);
  expect(table.shimOf({ pid: 4711, startTicks: '1' })).toBeUndefined();
});

test('P10: a ps that fails, or a list that lacks this process, is a failed look', () => {
  expect(() => view({ all: new Error('no memory') }).scan()).toThrow(ProbeError);
  expect(() => view({ all: CAPTURED.replace(' 612 ', ' 613 ') }).scan()).toThrow(/this process is not in it/);
});

test('ps says with its exit code that there is no such process, and that alone means gone', () => {
  const none = Object.assign(new Error('exit 1'), { status: 1, stdout: '' });
  expect(view({ '/bin/ps': none }).identify(4711)).toBeUndefined();
  expect(() => view({ '/bin/ps': new Error('EAGAIN') }).identify(4711)).toThrow(ProbeError);
  expect(view({ '/bin/ps': CAPTURED.split('\n')[2]! }).identify(4711)).toMatchObject({ pid: 4711 });
});

test('the start of a child and the boot are read, or the look failed', () => {
  const mac = view({ '/bin/ps': 'Fri Nov 21 12:30:00 2025\n', '/usr/sbin/sysctl': '5D0C-77\n' });
  expect(mac.startTicksOfChild(7)).toBe(String(Date.UTC(2025, 10, 21, 12, 30) / 1000));
  expect(mac.startTimeOf(mac.startTicksOfChild(7), 0)).toBe(Date.UTC(2025, 10, 21, 12, 30));
  expect(mac.readBoot()).toBe('5D0C-77');
  const broken = view({ '/bin/ps': '\n' });
  expect(() => broken.startTicksOfChild(7)).toThrow(ProbeError);
  expect(() => broken.readBoot()).toThrow(ProbeError);
});
