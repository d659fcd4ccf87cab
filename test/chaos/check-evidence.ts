/** What tasks and workers say of themselves, held against what the agent has on record of them. */
import { eventsByTask, type Findings, TERMINAL } from './findings.ts';
import type { Violation } from './ledger.ts';
import { settings } from './world.ts';

/** P4 by the tasks' own word: no attempt began twice, and none said anything after its successor had begun. */
export function checkAttempts({ agent, evidence }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  const began = new Set<string>();
  const highest = new Map<string, number>();
  for (const { word, taskId, attempt, index, pid } of evidence) {
    const line = `line ${index + 1}: "${word}" of attempt ${attempt}, pid ${pid}`;
    const newest = highest.get(taskId) ?? 0;
    if (attempt < newest) {
      found.push({ promise: 'P4', what: `${line}, after attempt ${newest} had begun`, taskId });
    }
    if (word !== 'begin') continue;
    highest.set(taskId, Math.max(newest, attempt));
    if (began.has(`${taskId}/${attempt}`))
      found.push({ promise: 'P4', what: `${line}: it began twice`, taskId });
    began.add(`${taskId}/${attempt}`);
    const events = (byTask.get(taskId) ?? []).filter((event) => event.attempt === attempt);
    if (events.length === 0) {
      found.push({ promise: 'P1', what: `${line}, of which no event is on record`, taskId });
    }
    if (events.some(({ reason }) => reason === 'dispatch_interrupted')) {
      found.push({ promise: 'P4', what: `${line}, which is on record as never run`, taskId });
    }
  }
  return found;
}

/** P7: an attempt that ended by itself is on record with the code that it says it exited with. */
export function checkExits({ agent, evidence, ledger }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  for (const { word, taskId, attempt, detail } of evidence) {
    if (word !== 'end') continue;
    const events = (byTask.get(taskId) ?? []).filter((event) => event.attempt === attempt);
    const close = events.find(({ kind }) => kind === 'requeued' || TERMINAL.has(kind));
    const outcome = close?.data?.outcome;
    // Told to stop, or killed between its last word and its exit.
    if (close === undefined || events.some(({ kind }) => kind === 'stopRequested')) continue;
    if (ledger.hit(taskId, attempt, 'killShim', 'killCommand', 'killShimAndCommand', 'killManyShims'))
      continue;
    if (outcome?.exitCode !== Number(detail)) {
      const what = `attempt ${attempt} exited with ${detail}, on record is ${JSON.stringify(outcome)}`;
      found.push({ promise: 'P7', what, taskId });
    }
    const completed = close.kind === 'completed';
    if (outcome?.exitCode === 0 && !completed)
      found.push({ promise: 'P7', what: 'exit 0 is not completed', taskId });
    if (completed && outcome?.exitCode !== 0)
      found.push({ promise: 'P7', what: 'completed without exit 0', taskId });
  }
  return found;
}

/** An attempt is on record as vanished only where the harness killed its shim; no machine was rebooted here. */
export function checkLosses({ agent, ledger }: Findings): Violation[] {
  const found: Violation[] = [];
  for (const { taskId, attempt, seq, data } of agent.events) {
    const outcome = data?.outcome;
    if (outcome === undefined) continue;
    const text = `${outcome.reason} ${outcome.message ?? ''}`;
    if (text.includes('host_rebooted')) found.push({ promise: 'P10', what: `seq ${seq}: ${text}`, taskId });
    if (!text.includes('process_vanished')) continue;
    if (ledger.hit(taskId, attempt, 'killShim', 'killShimAndCommand', 'killManyShims')) continue;
    const what = `attempt ${attempt} is on record as vanished (seq ${seq}), but nobody killed its shim`;
    found.push({ promise: 'P10', what, taskId });
  }
  return found;
}

/** P4 and P5 for claims: a word that was answered 2xx is what the log says of that attempt. */
export function checkWorkers({ agent, words }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  const granted = new Map<string, string>();
  for (const { word, taskId, attempt, token, status, worker } of words) {
    const key = `${taskId}/${attempt}`;
    if (word === 'grant') {
      const other = granted.get(key);
      if (other !== undefined && other !== token)
        found.push({ promise: 'P4', what: `attempt ${attempt} was granted twice`, taskId });
      granted.set(key, token);
    }
    if (status < 200 || status >= 300) continue;
    const events = (byTask.get(taskId) ?? []).filter((event) => event.attempt === attempt);
    const close = events.find(({ kind }) => kind === 'requeued' || TERMINAL.has(kind));
    const cancelled = close?.kind === 'cancelled';
    const reason = close?.data?.outcome?.reason;
    const message = close?.data?.outcome?.message ?? '';
    const kept =
      word === 'complete'
        ? close?.kind === 'completed' && reason === 'worker_completed'
        : word === 'fail'
          ? reason === 'worker_failed' || message.includes('worker_failed') || cancelled
          : word === 'release'
            ? reason === 'released' || message.includes('released') || cancelled
            : true;
    if (kept) continue;
    const what = `${worker}'s "${word}" of attempt ${attempt} was accepted, but on record is ${close?.kind} ${reason}`;
    found.push({ promise: 'P5', what, taskId });
  }
  return found;
}

/** A lease runs out only after its whole term of silence: a heartbeat that was accepted began a new one. */
export function checkLeases({ agent, words }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  for (const { word, status, taskId, attempt, sentAt, worker } of words) {
    if (word !== 'heartbeat' || status !== 200) continue;
    const close = (byTask.get(taskId) ?? []).find(
      (event) => event.attempt === attempt && (event.kind === 'requeued' || TERMINAL.has(event.kind)),
    );
    const outcome = close?.data?.outcome;
    const expired = `${outcome?.reason} ${outcome?.message}`.includes('lease_expired');
    if (close === undefined || !expired || close.at >= sentAt + settings.leaseMs) continue;
    const what = `attempt ${attempt} lost its lease ${close.at - sentAt} ms after a heartbeat of ${worker} was accepted`;
    found.push({ promise: 'P4', what, taskId });
  }
  return found;
}
