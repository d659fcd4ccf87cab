/** One field of the submit form. Guarantees: a complaint is tied to its field for whoever cannot see where it stands. */
import type { ComponentChildren, JSX } from 'preact';
import type { Field, SubmitForm } from '../model/submit-form.ts';

interface Look {
  label: string;
  placeholder?: string;
  isMono?: boolean;
  /** Of a field of several lines. */
  rows?: number;
  list?: string;
}

const looks: Record<Field, Look> = {
  shell: { label: 'Shell line', rows: 3, isMono: true, placeholder: 'npm test && npm run build' },
  command: {
    label: 'Program and arguments',
    rows: 5,
    isMono: true,
    placeholder: 'node\nscript.js\n--verbose',
  },
  runner: { label: 'Runner', placeholder: 'claude' },
  prompt: { label: 'Prompt', rows: 5 },
  session: { label: 'Session', isMono: true, list: 'known-sessions' },
  agent: { label: 'Agent' },
  cwd: { label: 'Working directory', isMono: true, placeholder: 'the agent’s home directory' },
  title: { label: 'Title', placeholder: 'shown instead of the command' },
  labels: { label: 'Labels', isMono: true, placeholder: 'team=core kind=nightly' },
  attempts: { label: 'Attempts if it fails', placeholder: '1: a failure is final' },
  timeLimit: { label: 'Time limit (minutes)', placeholder: 'none' },
};

interface FieldProps {
  name: Field;
  value: string;
  error: string | undefined;
  set: (change: Partial<SubmitForm>) => void;
  /** What can be chosen; without it anything can be typed. */
  children?: ComponentChildren;
}

export function SubmitField({ name, value, error, set, children }: FieldProps): JSX.Element {
  const { label, placeholder = '', isMono = false, rows, list } = looks[name];
  const id = `submit-${name}`;
  const common = {
    id,
    'data-testid': id,
    class: isMono ? 'mono' : '',
    value,
    'aria-invalid': error !== undefined,
    ...(error === undefined ? {} : { 'aria-describedby': `${id}-error` }),
    onInput: (event: { currentTarget: { value: string } }) => set({ [name]: event.currentTarget.value }),
  };
  return (
    <div class={`field${error === undefined ? '' : ' has-error'}`}>
      <label for={id}>{label}</label>
      {children !== undefined ? (
        <select {...common}>{children}</select>
      ) : rows !== undefined ? (
        <textarea {...common} rows={rows} spellcheck={!isMono} placeholder={placeholder} />
      ) : (
        <input
          {...common}
          type="text"
          autocomplete="off"
          spellcheck={false}
          placeholder={placeholder}
          {...(list === undefined ? {} : { list })}
        />
      )}
      {error !== undefined && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}
