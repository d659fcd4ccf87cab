import { appendFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  followOutput,
  outputBody,
  outputSize,
  type OutputState,
  readOutput,
  wholeSequences,
} from './output.ts';
import { makeFolder } from './test-kit.ts';

const FrameData = z.object({
  offset: z.number().optional(),
  text: z.string().optional(),
  from: z.number().optional(),
  to: z.number().optional(),
  why: z.string().optional(),
  bytes: z.number().optional(),
  status: z.string().optional(),
  outcome: z.unknown().optional(),
});

interface Frame {
  event: string;
  id?: string;
  data: z.infer<typeof FrameData>;
}

function parseFrame(bytes: Uint8Array): Frame {
  const match = /^event: (\w+)\n(?:id: (\S+)\n)?data: (.*)\n\n$/.exec(new TextDecoder().decode(bytes));
  if (match === null) throw new Error('not one frame');
  const [, event = '', id, data = ''] = match;
  return { event, ...(id === undefined ? {} : { id }), data: FrameData.parse(JSON.parse(data)) };
}

function makeLog(text: string | Uint8Array = '') {
  const folder = makeFolder();
  const path = join(folder.path, 'output.log');
  writeFileSync(path, text);
  const listeners = new Set<() => void>();
  let state: OutputState = { complete: false };
  const follow = (offset = 0) => {
    const response = followOutput({
      path: () => path,
      offset,
      state: () => state,
      onStateChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
    const reader = response.body!.getReader();
    const next = async () => {
      const { value } = await reader.read();
      return value === undefined ? undefined : parseFrame(value);
    };
    return { response, next, cancel: () => reader.cancel() };
  };
  const settle = () => {
    state = { complete: true, status: 'completed', outcome: { reason: 'exit', exitCode: 0 } };
    for (const listener of listeners) listener();
  };
  return { path, follow, settle, listeners, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function readAll(next: () => Promise<Frame | undefined>): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let frame = await next(); frame !== undefined; frame = await next()) frames.push(frame);
  return frames;
}

test('a range is read by bytes; behind the end, and without a file, there is nothing', async () => {
  using log = makeLog('0123456789');
  expect((await readOutput(log.path, 2, 3)).toString()).toBe('234');
  expect((await readOutput(log.path, 8, 100)).toString()).toBe('89');
  expect(await readOutput(log.path, 10, 5)).toHaveLength(0);
  expect(await outputSize(log.path)).toBe(10);
  rmSync(log.path);
  expect(await readOutput(log.path, 0, 5)).toHaveLength(0);
  expect(await outputSize(log.path)).toBeUndefined();
});

test('a body gives exactly its range, in chunks, as fast as it is taken', async () => {
  const bytes = Buffer.alloc(200_000, 'abcdefg');
  using log = makeLog(bytes);
  const parts: Uint8Array[] = [];
  for await (const part of outputBody(log.path, 3, 150_000)) parts.push(part);
  expect(Buffer.concat(parts).equals(bytes.subarray(3, 150_000))).toBe(true);
  expect(Math.max(...parts.map((part) => part.byteLength))).toBeLessThanOrEqual(64 * 1024);
});

test('a body whose log was cut underneath ends early instead of waiting', async () => {
  using log = makeLog('0123456789');
  const body = outputBody(log.path, 0, 10);
  truncateSync(log.path, 4);
  expect(await new Response(body).text()).toBe('0123');
});

test('a settled log is followed to its end, which is told apart from a stream that stopped', async () => {
  using log = makeLog('hello\n');
  log.settle();
  const { response, next } = log.follow();
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(await readAll(next)).toEqual([
    { event: 'output', id: '6', data: { offset: 0, text: 'hello\n' } },
    { event: 'end', data: { bytes: 6, status: 'completed', outcome: { reason: 'exit', exitCode: 0 } } },
  ]);
});

test('what is appended comes while it grows, and the end only after the settlement and the last byte', async () => {
  using log = makeLog('one');
  const { next } = log.follow();
  expect(await next()).toMatchObject({ data: { offset: 0, text: 'one' } });
  const second = next();
  appendFileSync(log.path, 'two');
  expect(await second).toMatchObject({ id: '6', data: { offset: 3, text: 'two' } });
  const third = next();
  appendFileSync(log.path, 'three');
  log.settle();
  expect(await third).toMatchObject({ data: { offset: 6, text: 'three' } });
  expect(await next()).toMatchObject({ event: 'end', data: { bytes: 11 } });
  expect(await next()).toBeUndefined();
});

test('a follower that comes back continues at its offset', async () => {
  using log = makeLog('0123456789');
  log.settle();
  const frames = await readAll(log.follow(7).next);
  expect(frames[0]).toEqual({ event: 'output', id: '10', data: { offset: 7, text: '789' } });
});

test('a log that does not exist yet is waited for', async () => {
  using log = makeLog();
  rmSync(log.path);
  const { next } = log.follow();
  const first = next();
  writeFileSync(log.path, 'late');
  expect(await first).toMatchObject({ data: { offset: 0, text: 'late' } });
});

test('an attempt without any output ends with zero bytes', async () => {
  using log = makeLog();
  rmSync(log.path);
  log.settle();
  expect(await readAll(log.follow().next)).toMatchObject([{ event: 'end', data: { bytes: 0 } }]);
});

test('P7: a log that was cut is a gap, and what was written since is not lost', async () => {
  using log = makeLog('0123456789');
  const { next } = log.follow();
  await next();
  const second = next();
  writeFileSync(log.path, 'new');
  expect(await second).toEqual({ event: 'gap', id: '0', data: { from: 10, to: 0, why: 'the log was cut' } });
  expect(await next()).toMatchObject({ data: { offset: 0, text: 'new' } });
});

test('a log that was removed is one gap, then the end', async () => {
  using log = makeLog('0123456789');
  const { next } = log.follow();
  await next();
  const second = next();
  rmSync(log.path);
  expect(await second).toEqual({ event: 'gap', data: { from: 10, to: 10, why: 'the log is gone' } });
  const third = next();
  log.settle();
  expect(await third).toMatchObject({ event: 'end', data: { bytes: 10 } });
});

test('an error of the disk ends the stream without an end', async () => {
  using log = makeLog();
  rmSync(log.path);
  symlinkSync('output.log', log.path);
  await expect(log.follow().next()).rejects.toThrow(/ELOOP/);
  expect(log.listeners.size).toBe(0);
});

test('a reader that goes away while it waits leaves nothing behind', async () => {
  using log = makeLog();
  const { next, cancel } = log.follow();
  const pending = next();
  expect(log.listeners.size).toBe(1);
  await cancel();
  expect(await pending).toBeUndefined();
  expect(log.listeners.size).toBe(0);
});

test('P11: a reader that takes nothing costs nothing: the log is read one chunk at a time', async () => {
  const bytes = Buffer.alloc(1_000_000, 'x');
  using log = makeLog(bytes);
  log.settle();
  const { next } = log.follow();
  const first = await next();
  expect(first!.data.text).toHaveLength(64 * 1024);
  // Nothing was read ahead: what is gone by now is not delivered.
  truncateSync(log.path, 0);
  expect(await next()).toMatchObject({ event: 'gap', data: { from: 64 * 1024 } });
});

test.each([
  ['ASCII', [0x61, 0x62], 2],
  ['two bytes, whole', [0xc3, 0xbc], 2],
  ['two bytes, cut', [0x61, 0xc3], 1],
  ['three bytes, cut after two', [0x61, 0xe2, 0x82], 1],
  ['four bytes, cut after three', [0xf0, 0x9f, 0x98], 0],
  ['four bytes, whole', [0xf0, 0x9f, 0x98, 0x80], 4],
  ['continuation bytes alone', [0x80, 0x80, 0x80, 0x80], 4],
  ['nothing', [], 0],
])('of %s the whole sequences are taken', (_, bytes, whole) => {
  expect(wholeSequences(Uint8Array.from(bytes))).toBe(whole);
});

test('whatever bytes come in whatever pieces: offsets are exact and the text is that of the whole', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 8 }).map((text) => new TextEncoder().encode(text)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
      using log = makeLog();
      const { next } = log.follow();
      const frames: Frame[] = [];
      const reading = (async () => {
        for (let frame = await next(); frame !== undefined; frame = await next()) frames.push(frame);
      })();
      for (const bytes of pieces) {
        appendFileSync(log.path, bytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      log.settle();
      await reading;
      const all = Buffer.concat(pieces);
      const outputs = frames.filter(({ event }) => event === 'output');
      let offset = 0;
      for (const { id, data } of outputs) {
        expect(data.offset).toBe(offset);
        offset = Number(id);
        const bytes = all.subarray(data.offset, offset);
        expect(data.text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
      }
      expect(offset).toBe(all.byteLength);
      expect(frames.at(-1)).toMatchObject({ event: 'end', data: { bytes: all.byteLength } });
    }),
    { numRuns: 40 },
  );
});

test('a byte order mark is text like any other, at the start and in the middle', async () => {
  using log = makeLog('\uFEFFa\uFEFFb');
  log.settle();
  expect(await readAll(log.follow().next)).toMatchObject([
    { data: { text: '\uFEFFa\uFEFFb' } },
    { event: 'end' },
  ]);
  expect((await readAll(log.follow(4).next))[0]).toMatchObject({ data: { offset: 4, text: '\uFEFFb' } });
});
