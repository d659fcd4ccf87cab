/**
 * Parts of the page that the first look does not need. Guarantees: all of them are fetched at the first sign of a person, so
 * that they are there if web goes away later; one that cannot be fetched says so and is tried again when it is next
 * asked for.
 */
import { signal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { notify } from '../state/notices.ts';

const preloads: (() => Promise<unknown>)[] = [];

export function lazy<Props extends object>(
  fetch: () => Promise<ComponentType<Props>>,
  onFailure: () => void,
): (props: Props) => JSX.Element | null {
  const loaded = signal<ComponentType<Props> | undefined>(undefined);
  let loading: Promise<unknown> | undefined;

  function load(): Promise<unknown> {
    loading ??= fetch().then(
      (component) => {
        loaded.value = component;
      },
      (error: unknown) => {
        loading = undefined;
        // A browser says so of any module that it could not fetch; anything else is a fault of the module.
        if (!(error instanceof TypeError)) throw error;
        throw new NotFetched();
      },
    );
    return loading;
  }

  preloads.push(load);
  return (props) => {
    const Component = loaded.value;
    if (Component !== undefined) return <Component {...props} />;
    load().catch((error: unknown) => {
      if (!(error instanceof NotFetched)) throw error;
      notify('This part of the page could not be fetched: the web service does not answer.', 'problem');
      onFailure();
    });
    return null;
  };
}

class NotFetched extends Error {}

/** Fetches everything at the first move of a pointer, touch or key. */
export function preloadAtFirstSign(): void {
  const signs = ['pointermove', 'pointerdown', 'keydown'] as const;
  const start = (): void => {
    for (const sign of signs) document.removeEventListener(sign, start);
    for (const load of preloads) {
      load().catch((error: unknown) => {
        // Nobody waits for it yet: whoever does will be told.
        if (!(error instanceof NotFetched)) throw error;
      });
    }
  };
  for (const sign of signs) document.addEventListener(sign, start, { passive: true });
}
