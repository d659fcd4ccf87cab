/** Web's subscription to one agent, into a store, until the agent vouches for all that was applied. */
import { createLogger, type openSqliteSessionStore, startSubscription } from './internals.ts';

type SubscriptionOptions = Parameters<typeof startSubscription>[0];

export interface FollowOptions {
  store: ReturnType<typeof openSqliteSessionStore>;
  agent: SubscriptionOptions['agent'];
  /** Rejects after so long without it. */
  patienceMs: number;
}

/** Resolves with the subscription, to be stopped by the caller. */
export async function followUntilLive({ store, agent, patienceMs }: FollowOptions) {
  await store.rememberAgent(agent, Date.now());
  const subscription = startSubscription({
    agent,
    store,
    startedAt: Date.now(),
    config: {},
    logger: createLogger('bench', 'warn'),
  });
  const live = Promise.withResolvers<void>();
  subscription.onView(({ state, digestOk }) => {
    if (state === 'live' && digestOk === true) live.resolve();
  });
  // It also keeps the process alive: the timers of a subscription do not.
  const patience = setTimeout(() => live.reject(new Error('the subscription did not get live')), patienceMs);
  await live.promise;
  clearTimeout(patience);
  return subscription;
}
