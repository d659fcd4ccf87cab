/** What there is no room for, behind a "…" button. Guarantees: pointer, finger and keys reach it; Esc closes it alone. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';

export interface MenuEntry {
  name: string;
  testId: string;
  onChoose: () => void;
}

export function MoreMenu({ label, entries }: { label: string; entries: readonly MenuEntry[] }): JSX.Element {
  const id = useId();
  const isOpen = useSignal(false);
  const opener = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLUListElement>(null);
  /** In the top layer nothing clips it, and it has to be told where its button is. */
  const onToggle = (event: { newState?: string }): void => {
    isOpen.value = event.newState === 'open';
    const at = opener.current?.getBoundingClientRect();
    if (!isOpen.value || at === undefined || menu.current === null) return;
    menu.current.style.top = `${at.bottom + 4}px`;
    menu.current.style.right = `${document.documentElement.clientWidth - at.right}px`;
    menu.current.querySelector('button')?.focus();
  };
  return (
    <div
      class="more-menu"
      onKeyDown={(event) => {
        // Else Esc would close the task as well.
        if (event.key === 'Escape' && menu.current?.matches(':popover-open') === true)
          event.stopPropagation();
      }}
    >
      <button
        ref={opener}
        type="button"
        class="icon-button"
        popovertarget={id}
        aria-label={label}
        aria-expanded={isOpen.value}
        title={label}
        data-testid="more"
      >
        <span aria-hidden="true">…</span>
      </button>
      <ul ref={menu} id={id} popover="auto" onToggle={onToggle}>
        {entries.map(({ name, testId, onChoose }) => (
          <li key={testId}>
            <button
              type="button"
              data-testid={testId}
              onClick={() => {
                menu.current?.hidePopover();
                onChoose();
              }}
            >
              {name}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
