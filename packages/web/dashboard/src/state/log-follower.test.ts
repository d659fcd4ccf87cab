import { expect, test, vi } from 'vitest';
import type { Answer, OutputPiece } from '../transport/api.ts';
import { plainOf } from '../model/ansi.ts';
import { LogFollower } from './log-follower.ts';

/** An agent's log, as web answers for it. */
class Source {
  bytes: Uint8Array = new Uint8Array(0);
  isComplete = false;
  isReachable = true;
  asked: [offset: number, limit: number][] = [];
  now = 1000;
  retries: (() => void)[] = [];

  print(text: string): void {
    const more = new TextEncoder().encode(text);
    const all = new Uint8Array(this.bytes.length + more.length);
    all.set(this.bytes);
    all.set(more, this.bytes.length);
    this.bytes = all;
  }

  read = async (
    _id: string,
    { offset, limit }: { attempt: number; offset: number; limit: number },
  ): Promise<Answer<OutputPiece>> => {
    this.asked.push([offset, limit]);
    if (!this.isReachable) {
      const problem = { status: 503, code: 'agent_unreachable', detail: 'no agent', errors: [] };
      return { ok: false, problem };
    }
    return {
      ok: true,
      status: 200,
      value: {
        bytes: this.bytes.slice(offset, offset + limit),
        totalBytes: this.bytes.length,
        isComplete: this.isComplete,
      },
    };
  };

  row(status: 'running' | 'failed' = 'running') {
    return { id: 't', attempt: 1, status, outputBytes: this.bytes.length };
  }

  follow(): LogFollower {
    const follower = new LogFollower({
      task: this.row(),
      attempt: 1,
      read: this.read,
      now: () => this.now,
      schedule: (callback) => {
        this.retries.push(callback);
        return () => (this.retries = this.retries.filter((one) => one !== callback));
      },
    });
    follower.update(this.row());
    return follower;
  }
}

const textOf = ({ view }: LogFollower): string[] => view.value.lines.map((line) => plainOf(line.text));
const settled = (follower: LogFollower, holds: () => boolean): Promise<void> =>
  vi.waitFor(
    () => expect({ holds: holds(), ...follower.view.value, lines: [] }).toMatchObject({ holds: true }),
    {
      timeout: 10_000,
      interval: 1,
    },
  );
/** `width` bytes a line. */
const lines = (count: number, width = 100): string =>
  Array.from({ length: count }, (_, i) => `${`line ${i + 1} `.padEnd(width - 1, '.')}\n`).join('');

test('what is printed is read from where reading stood, and the end is said only when the agent says it', async () => {
  const source = new Source();
  source.print('one\n');
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === 4);
  expect(follower.view.value).toMatchObject({ state: 'following', firstNumber: 1, readAt: 1000 });
  source.print('two\n');
  follower.update(source.row());
  await settled(follower, () => follower.view.value.end === 8);
  follower.update(source.row('failed'));
  await vi.waitFor(() => expect(source.retries).toHaveLength(1));
  expect(follower.view.value.state).toBe('following');
  source.isComplete = true;
  source.retries[0]!();
  await settled(follower, () => follower.view.value.state === 'ended');
  expect(textOf(follower)).toEqual(['one', 'two']);
  expect(source.asked.map(([offset]) => offset)).toEqual([0, 4, 8, 8]);
});

test('an agent that cannot be reached stops the stream at what was read, and it goes on by itself', async () => {
  const source = new Source();
  source.print('one\n');
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === 4);
  source.isReachable = false;
  source.now = 9000;
  source.print('two\n');
  follower.update(source.row());
  await settled(follower, () => follower.view.value.state === 'stopped');
  expect(follower.view.value).toMatchObject({ readAt: 1000, problem: { code: 'agent_unreachable' } });
  source.isReachable = true;
  source.retries[0]!();
  await settled(follower, () => follower.view.value.state === 'following');
  expect(textOf(follower)).toEqual(['one', 'two']);
});

test('of a big log the end is read, without numbers, and more at either side when it is asked for', async () => {
  const source = new Source();
  source.print(lines(100_000));
  source.isComplete = true;
  const follower = source.follow();
  follower.update(source.row('failed'));
  await settled(follower, () => follower.view.value.state === 'ended');
  const { start, end, firstNumber } = follower.view.value;
  expect([start, end, firstNumber]).toEqual([9_000_100, 10_000_000, undefined]);
  await follower.loadBefore();
  expect(follower.view.value.start).toBeLessThan(8_900_000);
  await follower.loadBeginning();
  expect(follower.view.value).toMatchObject({ start: 0, firstNumber: 1, state: 'ended' });
  const held = follower.view.value.end;
  await follower.loadAfter();
  expect(follower.view.value.end).toBe(held + 128 * 1024);
  expect(textOf(follower)[2000]).toContain('line 2001 ');
});

test('however far a person reads, what is held stays bounded', async () => {
  const source = new Source();
  source.print(lines(400_000, 20));
  source.isComplete = true;
  const follower = source.follow();
  follower.setFollowing(false);
  await follower.loadBeginning();
  while (follower.view.value.end < 8_000_000) await follower.loadAfter();
  expect(follower.view.value.lines.length).toBeLessThanOrEqual(30_000);
  expect(follower.view.value.firstNumber).toBe(370_001);
  while (follower.view.value.start > 0) await follower.loadBefore();
  expect(follower.view.value.lines.length).toBeLessThanOrEqual(30_000);
  expect(textOf(follower)[0]).toContain('line 1 ');
});

test('a person who reads is not moved: what is new waits behind a full range, and following goes to the end', async () => {
  const source = new Source();
  source.print(lines(40_000, 20));
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === 800_000);
  follower.setFollowing(false);
  source.print(lines(100_000, 20));
  follower.update(source.row());
  await settled(follower, () => follower.view.value.totalBytes === 2_800_000);
  const first = textOf(follower)[0];
  expect(first).toContain('line 10001 ');
  follower.update(source.row());
  expect(follower.view.value.end).toBe(800_000);
  follower.setFollowing(true);
  await settled(follower, () => follower.view.value.end === 2_800_000);
  expect(textOf(follower).at(-1)).toContain('line 100000 ');
});

test('a line of a big log is found by its number, with what is around it', async () => {
  const source = new Source();
  source.print(lines(100_000));
  source.isComplete = true;
  const follower = source.follow();
  await settled(follower, () => follower.view.value.state === 'ended');
  const place = await follower.seekLine(50_000);
  expect(place).toEqual({ at: 4_999_900, number: 50_000 });
  const { firstNumber } = follower.view.value;
  expect(textOf(follower)[50_000 - firstNumber!]).toContain('line 50000 ');
  expect(firstNumber).toBeLessThan(49_900);
  expect(follower.scan.value).toBeUndefined();
  const asked = source.asked.length;
  expect(await follower.seekLine(50_001)).toMatchObject({ number: 50_001 });
  expect(source.asked).toHaveLength(asked);
  expect(await follower.seekLine(1_000_000)).toEqual({ tooFew: 100_000 });
});

test('a search of the whole log finds what was not loaded, and then its lines have numbers', async () => {
  const source = new Source();
  source.print(lines(50_000));
  source.print('the Needle\n');
  source.print(lines(50_000));
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === source.bytes.length);
  expect(follower.view.value.firstNumber).toBeUndefined();
  const found = await follower.searchAll('needle');
  expect(found).toMatchObject({ count: 1, lines: [{ at: 5_000_000, number: 50_001 }] });
  expect(follower.view.value.firstNumber).toBe(90_003);
  await follower.seekPlace(found!.lines[0]!);
  const { firstNumber } = follower.view.value;
  expect(textOf(follower)[50_001 - firstNumber!]).toBe('the Needle');
});

test('a search that is given up says nothing', async () => {
  const source = new Source();
  source.print(lines(50_000));
  const follower = source.follow();
  const search = follower.searchAll('line');
  follower.stopScan();
  expect(await search).toBeUndefined();
});

test('a log that is cut underneath is a gap, and is read again from what is left of it', async () => {
  const source = new Source();
  source.print('one\ntwo\n');
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === 8);
  source.bytes = new Uint8Array(0);
  source.print('new\n');
  follower.update({ ...source.row(), outputBytes: 12 });
  await settled(follower, () => follower.view.value.end === 4);
  expect(textOf(follower)).toEqual(['new']);
  expect(follower.view.value.gaps).toEqual([
    { at: 1000, text: 'The log was cut to 4 bytes underneath: 8 bytes of it had been read.' },
  ]);
});

test('of a log that is gone nothing is left to load, whenever its row comes', async () => {
  const source = new Source();
  source.print('here\n');
  const row = { ...source.row(), status: 'completed' as const };
  source.bytes = new Uint8Array(0);
  source.isComplete = true;
  const follower = source.follow();
  follower.update(row);
  await settled(follower, () => follower.view.value.state === 'ended');
  follower.update(row);
  // Comes after whatever the row brought about, and changes nothing.
  await follower.loadBefore();
  expect(follower.view.value).toMatchObject({ state: 'ended', end: 0, totalBytes: 0 });
});

test('a line longer than all that is read shows its end', async () => {
  const source = new Source();
  source.print('x'.repeat(5_000_000));
  const follower = source.follow();
  await settled(
    follower,
    () => follower.view.value.end === 5_000_000 && follower.view.value.lines.length > 0,
  );
  expect(follower.view.value.lines[0]!.text.length).toBe(16_000);
  await follower.loadBefore();
  expect(follower.view.value.lines).toHaveLength(1);
});

test('a follower that is closed asks for nothing more', async () => {
  const source = new Source();
  const follower = source.follow();
  follower.close();
  source.print('one\n');
  follower.update(source.row());
  await follower.loadBefore();
  expect(source.asked).toEqual([]);
});

test('what is held is not given up for a part that cannot be read now', async () => {
  const source = new Source();
  source.print(lines(50_000));
  const follower = source.follow();
  await settled(
    follower,
    () => follower.view.value.state === 'following' && follower.view.value.end === 5_000_000,
  );
  follower.setFollowing(false);
  const held = textOf(follower);
  source.isReachable = false;
  await follower.loadBeginning();
  await follower.seekPlace({ at: 1000 });
  expect(follower.view.value.state).toBe('stopped');
  expect(textOf(follower)).toEqual(held);

  source.isReachable = true;
  await follower.loadBeginning();
  expect(textOf(follower)[0]).toMatch(/^line 1 /);
  const first = textOf(follower);
  source.isReachable = false;
  follower.setFollowing(true);
  await follower.loadAfter();
  expect(textOf(follower)).toEqual(first);
});

test('who follows again is taken to the end, also when the first try to read it fails', async () => {
  const source = new Source();
  source.print(lines(40_000, 20));
  const follower = source.follow();
  await settled(follower, () => follower.view.value.end === 800_000);
  follower.setFollowing(false);
  source.print(lines(100_000, 20));
  follower.update(source.row());
  await settled(follower, () => follower.view.value.totalBytes === 2_800_000);
  source.isReachable = false;
  follower.setFollowing(true);
  await settled(follower, () => follower.view.value.state === 'stopped');
  source.isReachable = true;
  for (const retry of source.retries) retry();
  await settled(follower, () => follower.view.value.end === 2_800_000);
  source.print('more\n');
  follower.update(source.row());
  await settled(follower, () => follower.view.value.end === 2_800_005);
  expect(textOf(follower).at(-1)).toBe('more');
});

test('a line that is sought while the log cannot be read is found once it can', async () => {
  const source = new Source();
  source.print(lines(500));
  source.isReachable = false;
  const follower = source.follow();
  const place = follower.seekLine(400);
  await settled(follower, () => source.retries.length === 2);
  source.isReachable = true;
  for (const retry of source.retries) retry();
  expect(await place).toEqual({ at: 39_900, number: 400 });
  expect(follower.scan.value).toBeUndefined();
});
