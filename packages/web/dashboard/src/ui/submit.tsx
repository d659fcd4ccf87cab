/**
 * The submit form. Guarantees: sending twice is harmless (one id until it is accepted); a refusal lands on its field, and
 * the focus with it; an answer that was lost is said to be lost, and looked for when web is heard again; nothing typed
 * is lost by closing it with a failure.
 */
import { type Signal, signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import {
  fieldErrors,
  formOf,
  newForm,
  sessionName,
  toSubmit,
  type Field,
  type FieldErrors,
  type SubmitForm,
  type Way,
} from '../model/submit-form.ts';
import { taskName } from '../model/filter.ts';
import { ageText } from '../model/words.ts';
import { findSubmitted, submit } from '../state/actions.ts';
import { agents, sessions } from '../state/agents.ts';
import { linkNow } from '../state/clock.ts';
import { anewOf, closeDialog } from '../state/dialogs.ts';
import { place } from '../state/navigation.ts';
import { newId } from '../state/new-id.ts';
import { notify } from '../state/notices.ts';
import { Modal } from './modal.tsx';
import { SubmitField } from './submit-field.tsx';

interface Draft {
  /** What was typed and not sent. */
  draft: Signal<SubmitForm | undefined>;
  /** What was sent and not answered: whether it arrived is not known. */
  unanswered: Signal<SubmitForm | undefined>;
}

/** By the task that is submitted anew; '' is that of a new one. */
const drafts = new Map<string, Draft>();

function draftOf(anew: ShownTask | undefined): Draft {
  const key = anew?.id ?? '';
  const found = drafts.get(key) ?? { draft: signal(), unanswered: signal() };
  drafts.set(key, found);
  return found;
}

function freshForm(anew: ShownTask | undefined): SubmitForm {
  return anew === undefined
    ? newForm(newId(), place.peek().filter.sessionId ?? sessionName(Math.random))
    : formOf(anew, newId()).form;
}

const ways: { way: Way; name: string; help: string; main: Field }[] = [
  { way: 'shell', name: 'Shell line', help: 'Run by sh -c on the agent’s machine.', main: 'shell' },
  {
    way: 'command',
    name: 'Command',
    help: 'The program and its arguments, one a line; no shell in between.',
    main: 'command',
  },
  {
    way: 'runner',
    name: 'Runner',
    help: 'A named runner of the agent, for instance claude, with a prompt.',
    main: 'prompt',
  },
];

/** Fields that are out of sight until they are asked for, or refused. */
const folded: readonly Field[] = ['title', 'labels', 'attempts', 'timeLimit'];

interface Trouble {
  /** `notSent`: web is not heard. `news`: what came of an earlier try. */
  kind: 'refused' | 'notSent' | 'news';
  text: string;
}

const NOT_ANSWERED =
  'It is not known whether it arrived: the web service did not answer. What you typed stays. Submit again at any time: ' +
  'it has the same id, so it cannot run twice.';

const IN_FLIGHT = 'Sent, and not answered so far: the web service is not heard.';

export function SubmitDialog(): JSX.Element {
  const isSending = useSignal(false);
  const errors = useSignal<FieldErrors>({});
  const trouble = useSignal<Trouble | undefined>(undefined);
  const refusals = useSignal(0);
  const isUnfolded = useSignal(false);
  const element = useRef<HTMLFormElement>(null);
  const anew = anewOf.value;
  const { draft, unanswered } = draftOf(anew);
  draft.value ??= freshForm(anew);
  const form = draft.value;
  const way = ways.find((candidate) => candidate.way === form.way)!;
  useLayoutEffect(() => element.current?.querySelector<HTMLElement>(`#submit-${way.main}`)?.focus(), []);
  useLayoutEffect(() => {
    element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refusals.value]);

  const set = (change: Partial<SubmitForm>): void => {
    draft.value = { ...form, ...change };
    errors.value = Object.fromEntries(Object.entries(errors.value).filter(([name]) => !(name in change)));
  };
  const refuse = (fields: FieldErrors, found?: Trouble): void => {
    errors.value = fields;
    trouble.value = found;
    refusals.value += 1;
  };
  const finish = (): void => {
    draft.value = undefined;
    unanswered.value = undefined;
    closeDialog();
  };
  /** The id is taken: the task that has it was sent from here before. Only a new id can be another task. */
  const beginAnother = (typed: SubmitForm): void => {
    draft.value = { ...typed, id: newId() };
    unanswered.value = undefined;
    trouble.value = {
      kind: 'news',
      text: 'An earlier version of this form was accepted after all and is in the list. Send again to submit this one as well.',
    };
  };

  const send = async (): Promise<void> => {
    if (isSending.value) return;
    const made = toSubmit(form);
    trouble.value = undefined;
    if ('errors' in made) return refuse(made.errors);
    const unheard = unheardText();
    if (unheard !== undefined) return refuse({}, { kind: 'notSent', text: `Not sent. ${unheard}` });
    isSending.value = true;
    const problem = await submit(made.body);
    isSending.value = false;
    if (problem === undefined) return finish();
    if (problem.status === 0) {
      unanswered.value = form;
      return refuse({}, { kind: 'refused', text: NOT_ANSWERED });
    }
    if (problem.code === 'task_conflict') return beginAnother(form);
    const { fields, rest } = fieldErrors(problem, form.way);
    refuse(fields, { kind: 'refused', text: [problem.detail, ...rest].join(' ') });
  };

  const isHeard = linkNow.value.state === 'live';
  useEffect(() => {
    if (!isHeard) return;
    if (trouble.peek()?.kind === 'notSent') {
      trouble.value = {
        kind: 'news',
        text: 'The web service is heard again. Nothing was sent so far: submit now.',
      };
    }
    const sent = unanswered.peek();
    if (sent === undefined) return;
    void findSubmitted(sent.id).then((found) => {
      if (unanswered.peek() !== sent || found === 'unheard') return;
      if (found === 'missing') {
        trouble.value = {
          kind: 'news',
          text: 'What you sent has not arrived so far. Submit again: it cannot run twice.',
        };
        return;
      }
      if (draft.peek() !== sent) return beginAnother(draft.peek() ?? sent);
      notify('Your task had arrived after all.');
      finish();
    });
  }, [isHeard, unanswered.value]);

  const field = (name: Field): JSX.Element => (
    <SubmitField name={name} value={form[name]} error={errors.value[name]} set={set} />
  );
  const unheard = unheardText();
  return (
    <Modal title="New task" onClose={closeDialog}>
      <form
        ref={element}
        data-testid="submit-form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
            event.preventDefault();
            void send();
          }
        }}
      >
        {anew !== undefined && <Anew of={anew} />}
        <fieldset class="segmented">
          <legend class="sr">What to run</legend>
          {ways.map((each) => (
            <label key={each.way} class={each.way === form.way ? 'is-chosen' : ''}>
              <input
                type="radio"
                name="way"
                value={each.way}
                checked={each.way === form.way}
                onChange={() => set({ way: each.way })}
              />
              {each.name}
            </label>
          ))}
        </fieldset>
        <p class="hint">{way.help}</p>
        {form.way === 'runner' && field('runner')}
        {field(way.main)}
        <div class="columns">
          {field('session')}
          <SubmitField name="agent" value={form.agent} error={errors.value.agent} set={set}>
            <option value="">The live one with the most free slots</option>
            {agents.value.map((agent) => (
              <option key={agent.id} value={agent.id}>
                {agent.name}
                {agent.state === 'live'
                  ? agent.pool === undefined || !isHeard
                    ? ''
                    : ` · ${Math.max(0, agent.pool.slots - agent.pool.running)} free`
                  : ' · not heard: delivered when it returns'}
              </option>
            ))}
          </SubmitField>
        </div>
        <datalist id="known-sessions">
          {sessions.value.slice(0, 50).map((session) => (
            <option key={session.id} value={session.id} />
          ))}
        </datalist>
        {field('cwd')}
        <details
          class="more"
          open={folded.some((name) => errors.value[name] !== undefined) || isUnfolded.value}
          onToggle={(event) => {
            isUnfolded.value = event.currentTarget.open;
          }}
        >
          <summary>Title, labels, retry, time limit</summary>
          {field('title')}
          {field('labels')}
          <div class="columns">
            {field('attempts')}
            {field('timeLimit')}
          </div>
        </details>
        {unheard !== undefined && trouble.value === undefined && (
          <p class="banner is-attention" role="status" data-testid="submit-unheard">
            {isSending.value ? IN_FLIGHT : unheard}
          </p>
        )}
        {trouble.value !== undefined && (
          <p
            class={`banner ${trouble.value.kind === 'news' ? 'is-attention' : 'is-problem'}`}
            role="alert"
            data-testid="submit-problem"
            data-kind={trouble.value.kind}
          >
            {trouble.value.text}
          </p>
        )}
        <div class="form-end">
          <span class="hint">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> submits
          </span>
          <button type="button" onClick={closeDialog}>
            Close
          </button>
          <button type="submit" class="primary" aria-disabled={isSending.value} data-testid="submit-send">
            {isSending.value ? 'Requesting …' : 'Submit'}
          </button>
        </div>
      </form>
    </Modal>
  );
}

/** Whose submit it is filled with, and what of that it has no place for. */
function Anew({ of }: { of: ShownTask }): JSX.Element {
  const { leftOut } = formOf(of, of.id);
  return (
    <p class="banner" data-testid="submit-anew">
      Filled as “{taskName(of)}” was submitted; this is a new task.
      {leftOut.length > 0 && ` The form has no place for ${leftOut.join(', ')}; the CLI has.`}
    </p>
  );
}

/** Why nothing can be submitted now, and what becomes of what was typed. A page that is only late is let try. */
function unheardText(): string | undefined {
  const link = linkNow.value;
  if (link.state === 'live' || link.state === 'stale') return undefined;
  const kept =
    'Submitting is refused until it is heard again; what you typed stays, also when you close this.';
  if (link.state === 'blind') return `The web service has not been heard for ${ageText(link.ageMs)}. ${kept}`;
  if (link.state === 'connecting') return `The web service has not been heard yet. ${kept}`;
  return 'You are signed out. What you typed stays until you are signed in again.';
}
