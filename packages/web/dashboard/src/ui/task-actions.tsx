/**
 * What a person can ask of one task. Guarantees: a button that was pressed says so until web has answered; one that cannot
 * do anything says why.
 */
import { type Signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { canReclaim } from '../model/reclaim.ts';
import { cancel, isAbandoned, isAsking, isHeld, resolveLost, retryOrSubmit } from '../state/actions.ts';
import { linkNow } from '../state/clock.ts';
import { copyCli } from '../state/copy-cli.ts';
import { isWide, toggleWide } from '../state/log-preferences.ts';
import { Icon } from './icons.tsx';
import { MoreMenu } from './more-menu.tsx';

export function Actions({
  task,
  isStale,
  isReclaimOpen,
}: {
  task: ShownTask;
  isStale: boolean;
  isReclaimOpen: Signal<boolean>;
}): JSX.Element {
  const isOver = isEnded(task.status);
  const isSettled = useSettled(`${task.id} ${isOver}`);
  const isStopping =
    task.stopRequested?.cause === 'cancel' || task.pending?.some((intent) => intent.action === 'cancel');
  const mayReclaim = canReclaim(task) && !isStale;
  // Where a verdict can be given, it takes the place of what its silent agent could not do now.
  const isUnknown = task.status === 'unknown';
  const mayResolve = isUnknown || isAbandoned(task);
  const isHeldByAgent = isHeld(task);
  const toggleReclaim = (): void => {
    isReclaimOpen.value = !isReclaimOpen.value;
  };
  return (
    <div class="actions" role="group" aria-label="Actions" tabIndex={-1}>
      {!isOver && (
        <AskButton
          testId="cancel"
          name={isStopping === true ? 'Cancel asked' : 'Cancel'}
          hint="Stop it at once (the key c asks to be pressed twice)"
          isAsking={isAsking('cancel', task.id)}
          isDisabled={isStopping === true}
          onClick={() => cancel(task.id)}
          icon="stop"
        />
      )}
      {mayReclaim && !isUnknown && (
        <button
          type="button"
          class="wide-only"
          data-testid="reclaim-open"
          title="See what speaks for this attempt, and give it up for a new one"
          aria-expanded={isReclaimOpen.value}
          onClick={toggleReclaim}
        >
          <Icon name="again" size={14} />
          <span>Reclaim …</span>
        </button>
      )}
      {mayResolve && (
        <AskButton
          testId="resolve"
          isWideOnly
          name="Give up as lost"
          hint="Your verdict, kept on record; the agent’s word would still replace it"
          isAsking={isAsking('resolve', task.id)}
          isDisabled={false}
          onClick={() => resolveLost(task.id)}
          icon="close"
        />
      )}
      {isOver && (
        <AskButton
          testId="retry"
          name={isHeldByAgent ? 'Retry' : 'Submit anew …'}
          hint={
            isHeldByAgent
              ? 'Submit it again as a new task (r)'
              : 'Open the form, filled as it was: no agent has it, so none can repeat it (r)'
          }
          isAsking={isAsking('retry', task.id)}
          isDisabled={!isSettled}
          onClick={() => retryOrSubmit(task)}
          icon={isHeldByAgent ? 'again' : 'edit'}
        />
      )}
      <button
        type="button"
        class="wide-toggle wide-only"
        aria-pressed={isWide.value}
        title="Use the whole page for this task"
        data-testid="wide"
        onClick={toggleWide}
      >
        Wide
      </button>
      {!(isUnknown && mayReclaim) && (
        <button
          type="button"
          class="icon-button wide-only"
          title="Copy as CLI"
          aria-label="Copy as a command line"
          onClick={() => copyCli(task)}
        >
          <Icon name="copy" />
        </button>
      )}
      <span class={isUnknown && mayReclaim ? 'more-always' : 'narrow-only'}>
        <MoreMenu
          label="More actions"
          entries={[
            ...(mayResolve
              ? [{ name: 'Give up as lost', testId: 'more-resolve', onChoose: () => resolveLost(task.id) }]
              : []),
            ...(mayReclaim ? [{ name: 'Reclaim …', testId: 'more-reclaim', onChoose: toggleReclaim }] : []),
            { name: 'Copy as CLI', testId: 'more-copy-cli', onChoose: () => copyCli(task) },
          ]}
        />
      </span>
    </div>
  );
}

/** A second tap on "Cancel" must not become a "Retry" that took its place: that would run the command again. */
const SETTLE_MS = 1000;

/** Whether `what` has been the same for a while, or from the first look on. */
function useSettled(what: string): boolean {
  const seen = useRef(what);
  const isSettled = useSignal(true);
  const hasMoved = seen.current !== what;
  useEffect(() => {
    if (seen.current === what && isSettled.peek()) return undefined;
    seen.current = what;
    isSettled.value = false;
    const timer = setTimeout(() => {
      isSettled.value = true;
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [what]);
  return isSettled.value && !hasMoved;
}

interface AskButtonProps {
  testId: string;
  name: string;
  hint: string;
  isAsking: boolean;
  isDisabled: boolean;
  icon: 'stop' | 'again' | 'close' | 'edit';
  /** Elsewhere it is in the menu. */
  isWideOnly?: boolean;
  onClick: () => void;
}

function AskButton(props: AskButtonProps): JSX.Element {
  const { testId, name, hint, isAsking, isDisabled, icon, isWideOnly = false, onClick } = props;
  // Web would have to promise it, and web is not heard.
  const isCut = linkNow.value.state === 'blind';
  const isOff = isAsking || isDisabled || isCut;
  return (
    <button
      type="button"
      class={isWideOnly ? 'wide-only' : ''}
      data-testid={testId}
      title={isCut ? 'The web service is not heard: nothing can be asked of it now' : hint}
      // Not `disabled`, which would take the focus from whoever pressed it.
      aria-disabled={isOff}
      onClick={isOff ? undefined : onClick}
    >
      <Icon name={icon} size={14} />
      <span>{isAsking ? 'Requesting …' : name}</span>
    </button>
  );
}
