/**
 * Guarantees: who works with the keyboard does not lose their place when what had the focus goes away under them, as a
 * button does whose task has ended: the focus moves to the nearest thing around it that can have it.
 */
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

export function useKeptFocus(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (element === null) return undefined;
    /** What has the focus, then what is around it and can have it, the nearest first. */
    let chain: HTMLElement[] = [];
    const onFocusIn = ({ target }: FocusEvent): void => {
      chain = [];
      if (!(target instanceof HTMLElement)) return;
      for (let at: HTMLElement | null = target; at !== null && element.contains(at); at = at.parentElement) {
        if (at === target || at.hasAttribute('tabindex')) chain.push(at);
      }
    };
    // Whoever leaves by themselves is not fetched back. What goes away is gone when its turn is over.
    const onFocusOut = (): void =>
      queueMicrotask(() => {
        if (chain[0]?.isConnected === true && document.activeElement !== chain[0]) chain = [];
      });
    const observer = new MutationObserver(() => {
      const [lost, ...around] = chain;
      if (lost === undefined || lost.isConnected || document.activeElement !== document.body) return;
      around.find((one) => one.isConnected)?.focus({ preventScroll: true });
    });
    element.addEventListener('focusin', onFocusIn);
    element.addEventListener('focusout', onFocusOut);
    observer.observe(element, { childList: true, subtree: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('focusin', onFocusIn);
      element.removeEventListener('focusout', onFocusOut);
    };
  }, [root]);
}
