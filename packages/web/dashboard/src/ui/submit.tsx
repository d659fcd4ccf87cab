/**
 * The submit form. Guarantees: sending twice is harmless (one id until it is accepted); a refusal lands on its field;
 * nothing typed is lost by closing it with a failure.
 */
import { signal, useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { uuidv7 } from 'uuidv7';
import {
  fieldErrors,
  newForm,
  sessionName,
  toSubmit,
  type Field,
  type FieldErrors,
  type SubmitForm,
  type Way,
} from '../model/submit-form.ts';
import { submit } from '../state/actions.ts';
import { closeDialog } from '../state/dialogs.ts';
import { place } from '../state/navigation.ts';
import { agents, sessions } from '../state/agents.ts';
import { Modal } from './modal.tsx';

/** What was typed and not sent. */
const draft = signal<SubmitForm | undefined>(undefined);

function freshForm(): SubmitForm {
  return newForm(uuidv7(), place.peek().filter.sessionId ?? sessionName(Math.random));
}

const ways: { way: Way; name: string; help: string }[] = [
  { way: 'shell', name: 'Shell line', help: 'Run by sh -c on the agent’s machine.' },
  {
    way: 'command',
    name: 'Command',
    help: 'The program and its arguments, one a line; no shell in between.',
  },
  { way: 'runner', name: 'Runner', help: 'A named runner of the agent, for instance claude, with a prompt.' },
];

/** Fields that are out of sight until they are asked for, or refused. */
const folded: readonly Field[] = ['title', 'labels', 'attempts', 'timeLimit'];

export function SubmitDialog(): JSX.Element {
  const isSending = useSignal(false);
  const errors = useSignal<FieldErrors>({});
  const trouble = useSignal<string | undefined>(undefined);
  const isUnfolded = useSignal(false);
  const main = useRef<HTMLTextAreaElement>(null);
  draft.value ??= freshForm();
  const form = draft.value;
  useLayoutEffect(() => main.current?.focus(), []);

  const set = (change: Partial<SubmitForm>): void => {
    draft.value = { ...form, ...change };
    errors.value = {};
  };

  const send = async (): Promise<void> => {
    if (isSending.value) return;
    const made = toSubmit(form);
    trouble.value = undefined;
    if ('errors' in made) {
      errors.value = made.errors;
      return;
    }
    isSending.value = true;
    const problem = await submit(made.body);
    isSending.value = false;
    if (problem === undefined) {
      draft.value = undefined;
      closeDialog();
      return;
    }
    const { fields, rest } = fieldErrors(problem, form.way);
    errors.value = fields;
    trouble.value = [problem.detail, ...rest].join(' ');
    // The id is taken: the task that has it was sent from here before. Only a new id can be another task.
    if (problem.code === 'task_conflict') {
      draft.value = { ...form, id: uuidv7() };
      trouble.value =
        'An earlier version of this form was accepted after all and is in the list. Send again to submit this one as well.';
    }
  };

  const way = ways.find((candidate) => candidate.way === form.way)!;
  return (
    <Modal title="New task" onClose={closeDialog}>
      <form
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
        {form.way === 'runner' && (
          <Input
            name="runner"
            label="Runner"
            form={form}
            set={set}
            errors={errors.value}
            placeholder="claude"
          />
        )}
        <FieldFrame
          name={form.way === 'runner' ? 'prompt' : form.way}
          label={
            form.way === 'shell' ? 'Shell line' : form.way === 'command' ? 'Program and arguments' : 'Prompt'
          }
          errors={errors.value}
        >
          <textarea
            ref={main}
            id={`submit-${form.way === 'runner' ? 'prompt' : form.way}`}
            data-testid={`submit-${form.way === 'runner' ? 'prompt' : form.way}`}
            class={form.way === 'runner' ? '' : 'mono'}
            rows={form.way === 'shell' ? 3 : 5}
            spellcheck={form.way === 'runner'}
            placeholder={
              form.way === 'shell'
                ? 'npm test && npm run build'
                : form.way === 'command'
                  ? 'node\nscript.js\n--verbose'
                  : ''
            }
            value={form.way === 'runner' ? form.prompt : form[form.way]}
            onInput={(event) =>
              set({ [form.way === 'runner' ? 'prompt' : form.way]: event.currentTarget.value })
            }
          />
        </FieldFrame>
        <div class="columns">
          <Input
            name="session"
            label="Session"
            form={form}
            set={set}
            errors={errors.value}
            list="known-sessions"
            mono
          />
          <FieldFrame name="agent" label="Agent" errors={errors.value}>
            <select
              id="submit-agent"
              data-testid="submit-agent"
              value={form.agent}
              onChange={(event) => set({ agent: event.currentTarget.value })}
            >
              <option value="">The live one with the most free slots</option>
              {agents.value.map((agent) => (
                <option key={agent.id} value={agent.id}>
                  {agent.name}
                  {agent.state === 'live'
                    ? agent.pool === undefined
                      ? ''
                      : ` · ${Math.max(0, agent.pool.slots - agent.pool.running)} free`
                    : ' · not heard: delivered when it returns'}
                </option>
              ))}
            </select>
          </FieldFrame>
        </div>
        <datalist id="known-sessions">
          {sessions.value.slice(0, 50).map((session) => (
            <option key={session.id} value={session.id} />
          ))}
        </datalist>
        <Input
          name="cwd"
          label="Working directory"
          form={form}
          set={set}
          errors={errors.value}
          placeholder="the agent’s home directory"
          mono
        />
        <details
          class="more"
          open={folded.some((name) => errors.value[name] !== undefined) || isUnfolded.value}
          onToggle={(event) => {
            isUnfolded.value = event.currentTarget.open;
          }}
        >
          <summary>Title, labels, retry, time limit</summary>
          <Input
            name="title"
            label="Title"
            form={form}
            set={set}
            errors={errors.value}
            placeholder="shown instead of the command"
          />
          <Input
            name="labels"
            label="Labels"
            form={form}
            set={set}
            errors={errors.value}
            placeholder="team=core kind=nightly"
            mono
          />
          <div class="columns">
            <Input
              name="attempts"
              label="Attempts if it fails"
              form={form}
              set={set}
              errors={errors.value}
              placeholder="1: a failure is final"
            />
            <Input
              name="timeLimit"
              label="Time limit (minutes)"
              form={form}
              set={set}
              errors={errors.value}
              placeholder="none"
            />
          </div>
        </details>
        {trouble.value !== undefined && (
          <p class="banner is-problem" role="alert" data-testid="submit-problem">
            {trouble.value}
          </p>
        )}
        <div class="form-end">
          <span class="hint">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> submits
          </span>
          <button type="button" onClick={closeDialog}>
            Close
          </button>
          <button type="submit" class="primary" disabled={isSending.value} data-testid="submit-send">
            {isSending.value ? 'Requesting …' : 'Submit'}
          </button>
        </div>
      </form>
    </Modal>
  );
}

interface FieldFrameProps {
  name: Field;
  label: string;
  errors: FieldErrors;
  children: ComponentChildren;
}

function FieldFrame({ name, label, errors, children }: FieldFrameProps): JSX.Element {
  const error = errors[name];
  return (
    <div class={`field${error === undefined ? '' : ' has-error'}`}>
      <label for={`submit-${name}`}>{label}</label>
      {children}
      {error !== undefined && (
        <p class="field-error" id={`submit-${name}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

interface InputProps {
  name: Field;
  label: string;
  form: SubmitForm;
  set: (change: Partial<SubmitForm>) => void;
  errors: FieldErrors;
  placeholder?: string;
  list?: string;
  mono?: boolean;
}

function Input({
  name,
  label,
  form,
  set,
  errors,
  placeholder = '',
  list,
  mono = false,
}: InputProps): JSX.Element {
  const error = errors[name];
  return (
    <FieldFrame name={name} label={label} errors={errors}>
      <input
        id={`submit-${name}`}
        data-testid={`submit-${name}`}
        class={mono ? 'mono' : ''}
        type="text"
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        value={form[name]}
        aria-invalid={error !== undefined}
        {...(error === undefined ? {} : { 'aria-describedby': `submit-${name}-error` })}
        {...(list === undefined ? {} : { list })}
        onInput={(event) => set({ [name]: event.currentTarget.value })}
      />
    </FieldFrame>
  );
}
