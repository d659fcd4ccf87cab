/** The sign-in page. Guarantees: the token is sent once and kept nowhere; the cookie that answers it is not readable here. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { enter } from '../state/actions.ts';

export function SignIn({ reason }: { reason: string | undefined }): JSX.Element {
  const token = useSignal('');
  const problem = useSignal(reason);
  const isSending = useSignal(false);
  const send = async (): Promise<void> => {
    if (token.value.trim() === '' || isSending.value) return;
    isSending.value = true;
    const refused = await enter({ token: token.value.trim() });
    isSending.value = false;
    problem.value =
      refused === undefined
        ? undefined
        : refused.status === 401
          ? 'That is not this service’s token.'
          : refused.detail;
    if (refused === undefined) token.value = '';
  };
  return (
    <main class="sign-in" data-testid="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <svg width="30" height="30" viewBox="0 0 18 18" aria-hidden="true" class="sign-in-mark">
          <path
            d="M4 2.5v13M14 2.5v13M4 9h10"
            stroke="currentColor"
            stroke-width="2.4"
            stroke-linecap="round"
          />
        </svg>
        <h1>Sign in to Holdfast</h1>
        <p class="dim">
          Whoever signs in can run commands on your machines. Open the link that <code>holdfast up</code>{' '}
          printed, or paste the token. It is on the machine that runs the web service:
        </p>
        <pre class="code">
          cat "${'{'}HOLDFAST_HOME:-
          <wbr />
          $HOME/
          <wbr />
          .local/
          <wbr />
          state/
          <wbr />
          holdfast{'}'}/
          <wbr />
          web.token"
        </pre>
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            class="mono"
            autocomplete="current-password"
            spellcheck={false}
            value={token.value}
            data-testid="sign-in-token"
            onInput={(event) => {
              token.value = event.currentTarget.value;
            }}
          />
        </div>
        {problem.value !== undefined && (
          <p class="banner is-problem" role="alert">
            {problem.value}
          </p>
        )}
        <button type="submit" class="primary" disabled={isSending.value} data-testid="sign-in-send">
          {isSending.value ? 'Requesting …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
