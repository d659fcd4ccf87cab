/** The name of the session whose tasks are listed, with rename and archive. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { sessions } from '../state/agents.ts';
import { editSession } from '../state/sessions.ts';
import { Icon } from './icons.tsx';

const MOST_TITLE = 512;

export function SessionHead({ id }: { id: string }): JSX.Element {
  const session = sessions.value.find((one) => one.id === id);
  const draft = useSignal<string | undefined>(undefined);
  const field = useRef<HTMLInputElement>(null);
  const isEditing = draft.value !== undefined;
  useEffect(() => {
    if (isEditing) field.current?.select();
  }, [isEditing]);

  if (draft.value !== undefined) {
    const save = async (): Promise<void> => {
      const title = draft.peek()?.trim() ?? '';
      if (title === '' || title === session?.title || (await editSession(id, { title }))) {
        draft.value = undefined;
      }
    };
    return (
      <form
        class="rename"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <input
          ref={field}
          type="text"
          aria-label="Title of the session"
          maxLength={MOST_TITLE}
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            event.preventDefault();
            event.stopPropagation();
            draft.value = undefined;
          }}
          data-testid="session-title"
        />
        <button type="submit" class="small">
          Save
        </button>
      </form>
    );
  }
  return (
    <>
      <h1 title={id} dir="auto">
        {session?.title ?? id}
      </h1>
      {session?.title !== undefined && session.title !== id && (
        <span class="dim mono session-id" title={`The session’s id: ${id}`}>
          {id}
        </span>
      )}
      {session !== undefined && (
        <>
          <button
            type="button"
            class="icon-button tiny"
            aria-label="Rename the session"
            title="Rename the session"
            onClick={() => {
              draft.value = session.title ?? id;
            }}
            data-testid="session-rename"
          >
            <Icon name="edit" size={14} />
          </button>
          <button
            type="button"
            class="icon-button tiny"
            aria-label={session.archived ? 'Take the session out of the archive' : 'Archive the session'}
            title={session.archived ? 'Take it out of the archive' : 'Archive it: its tasks stay'}
            onClick={() => void editSession(id, { archived: !session.archived })}
            data-testid="session-archive"
          >
            <Icon name="archive" size={14} />
          </button>
          {session.archived && <span class="label">archived</span>}
        </>
      )}
    </>
  );
}
