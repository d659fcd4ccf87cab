/**
 * The plan of a run: which faults come when, made from the seed alone and printable. Faults are in lanes that run
 * beside each other, one fault at a time in each. A lane deals from a bag that holds every kind as often as its
 * weight says and is filled again when it is empty: no kind is left out by chance.
 *
 * Which shim or connection a fault hits depends on what there is at that moment; `pick` chooses among it.
 */
import type { Random } from './random.ts';

export const lanes = {
  /** What happens to the services as a whole. */
  service: {
    killAgent: 3,
    killAgentLong: 3,
    killAgentAtClaim: 4,
    killAgentAtRecord: 2,
    killAgentAtStop: 2,
    killAgentAfterSubmit: 3,
    killAgentAfterCancel: 2,
    killAgentTwice: 3,
    killLauncherAndAgent: 1,
    lateLauncher: 3,
    killWeb: 2,
    killWebTwice: 1,
    killWebAfterSubmit: 2,
    killBoth: 1,
    freezeAgent: 2,
    freezeAgentLong: 3,
    freezeWeb: 2,
    stopAgent: 1,
    stopWeb: 1,
  },
  /** What happens to the processes of tasks and to what starts them. */
  process: {
    killShim: 4,
    killCommand: 3,
    killShimAndCommand: 4,
    freezeShim: 3,
    freezeCommand: 2,
    killLauncher: 3,
    freezeLauncher: 2,
    killManyShims: 1,
  },
  /** What happens between agent and web. */
  network: { cutAtByte: 10, cutAll: 3, refuse: 2, halfOpen: 2 },
  /** What happens to workers that hold claims. */
  worker: { killWorker: 2, freezeWorker: 2, restartWorker: 1 },
} as const;

export type Lane = keyof typeof lanes;
type FaultKind<L extends Lane = Lane> = { [K in L]: keyof (typeof lanes)[K] & string }[L];

interface Fields {
  /** Wait before it, ms. */
  afterMs: number;
  /** How long what it does lasts, ms, where that means something. */
  forMs: number;
  /** In [0, 1): chooses among what there is. */
  pick: number;
}

export type Step<L extends Lane = Lane> = { [K in L]: Fields & { lane: K; kind: FaultKind<K> } }[L];

const GAPS: Readonly<Record<Lane, [least: number, most: number]>> = {
  service: [150, 900],
  process: [100, 600],
  network: [20, 350],
  worker: [600, 2500],
};

const LONG_MS = 3200;

export type Plan = { readonly [L in Lane]: readonly Step<L>[] };

/** Enough steps for `minutes`; a lane takes as many of them as it finds the time for. */
export function makePlan(random: Random, minutes: number): Plan {
  return {
    service: planLane(random, 'service', minutes),
    process: planLane(random, 'process', minutes),
    network: planLane(random, 'network', minutes),
    worker: planLane(random, 'worker', minutes),
  };
}

function planLane<L extends Lane>(from: Random, lane: L, minutes: number): Step<L>[] {
  const random = from.fork(`plan/${lane}`);
  const steps: Step<L>[] = [];
  const [least, most] = GAPS[lane];
  const bag = Object.entries<number>(lanes[lane]).flatMap(([kind, weight]) =>
    Array.from({ length: weight }, () => kind as FaultKind<L>),
  );
  let rest: FaultKind<L>[] = [];
  for (let atMs = 0; atMs < minutes * 60_000;) {
    if (rest.length === 0) rest = random.shuffle(bag);
    const kind = rest.pop()!;
    const afterMs = random.int(least, most);
    const forMs = kind.endsWith('Long') ? random.int(LONG_MS, LONG_MS + 1500) : random.int(20, 1500);
    steps.push({ lane, kind, afterMs, forMs, pick: random.next() });
    atMs += afterMs;
  }
  return steps;
}

export function formatPlan(plan: Plan): string {
  return (Object.values(plan) as (readonly Step[])[])
    .flatMap((steps) =>
      steps.map(
        (step, index) =>
          `${step.lane} ${index + 1}: after ${step.afterMs} ms ${step.kind} (${step.forMs} ms, pick ${step.pick.toFixed(4)})`,
      ),
    )
    .join('\n');
}
