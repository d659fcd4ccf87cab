/**
 * The dashboard's beginning. Guarantees: a one-time code in the address is taken out of it before anything else
 * happens, so that it is in no history entry, referrer or copied link.
 */
import { render } from 'preact';
import { App } from './ui/app.tsx';
import { preloadAtFirstSign } from './ui/lazy.tsx';
import { startAttention } from './state/attention.ts';
import { startKeys } from './state/keys.ts';
import { startNavigation } from './state/navigation.ts';
import { startNotifier } from './state/notifier.ts';
import { startOwnGaps } from './state/own-gaps.ts';
import { startPreferences } from './state/preferences.ts';
import { retryNow, startStore } from './state/store.ts';
import { peekTask } from './state/tasks.ts';
import { signIn } from './transport/api.ts';

function takeCode(): string | undefined {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code === null) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return code;
}

async function copy(taskId: string): Promise<void> {
  const { copyCli } = await import('./state/copy-cli.ts');
  const task = peekTask(taskId);
  if (task !== undefined) copyCli(task);
}

async function start(code: string | undefined): Promise<void> {
  startPreferences();
  let signInProblem: string | undefined;
  if (code !== undefined) {
    const answer = await signIn({ code });
    if (!answer.ok) {
      signInProblem =
        answer.problem.status === 401
          ? 'That link was used before or is too old. Ask for a new one, or paste the token.'
          : answer.problem.detail;
    }
  }
  startNavigation();
  startStore();
  // The stream that all pages share may have been told before that nobody is signed in.
  if (code !== undefined && signInProblem === undefined) retryNow();
  startAttention();
  startNotifier();
  startOwnGaps();
  startKeys((id) => void copy(id));
  preloadAtFirstSign();
  render(<App signInProblem={signInProblem} />, document.querySelector('#app')!);
}

void start(takeCode());
