/**
 * An agent's `/events` with a long log behind it, as a process that does nothing else: `fork('ingest-source.ts')`. It says
 * `{ port }`; a reader without a cursor gets an empty snapshot, then all events, then heartbeats.
 */
import { createServer } from 'node:http';
import { AGENT } from './fan-out-frames.ts';
import { EPOCH, makeLog } from './ingest-log.ts';
import {
  encodeFrame,
  encodeText,
  firstChain,
  formatCursor,
  frameText,
  type Heartbeat,
  type Hello,
  type Reset,
  type SnapshotEnd,
} from './internals.ts';

const HEARTBEAT_MS = 5000;
const PAGE_EVENTS = 200;

const log = makeLog();
const { event: last, chain } = log.at(-1)!;
const head = last.seq;
const empty = firstChain(EPOCH);
const pages: Uint8Array[] = [];
for (let first = 0; first < log.length; first += PAGE_EVENTS) {
  const page = log.slice(first, first + PAGE_EVENTS);
  pages.push(
    encodeText(
      page
        .map(({ event, json, chain }) =>
          frameText('task', json, formatCursor({ epoch: EPOCH, seq: event.seq, chain })),
        )
        .join(''),
    ),
  );
}

const hello: Hello = {
  protocol: 1,
  agentId: AGENT.id,
  name: AGENT.name,
  version: '0.0.0',
  epoch: EPOCH,
  instance: 'bench',
  head,
  floor: 0,
  heartbeatMs: HEARTBEAT_MS,
  resume: 'reset',
};
const reset: Reset = { reason: 'no_cursor', floor: 0, floorChain: empty, tasks: 0 };
const snapshotEnd: SnapshotEnd = { seq: 0, chain: empty, tasks: 0 };

function heartbeat(): Uint8Array {
  return encodeFrame('heartbeat', {
    at: Date.now(),
    head,
    chain,
    floor: 0,
    liveDigest: '0'.repeat(16),
    live: 0,
    journalOk: true,
    sweptAt: Date.now(),
    pool: { slots: 16, running: 0, queued: 0, paused: false, draining: false },
  } satisfies Heartbeat);
}

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.write(encodeFrame('hello', hello));
  response.write(encodeFrame('reset', reset));
  response.write(encodeFrame('snapshotEnd', snapshotEnd));
  let next = 0;
  const pump = () => {
    while (next < pages.length) if (!response.write(pages[next++]!)) return;
    if (next++ === pages.length) response.write(heartbeat());
  };
  response.on('drain', pump);
  pump();
  const timer = setInterval(() => response.write(heartbeat()), HEARTBEAT_MS);
  response.once('close', () => clearInterval(timer));
});
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }));
process.once('disconnect', () => process.exit(0));
