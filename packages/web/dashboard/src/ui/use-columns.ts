/** How many characters fit on a line, for an estimate of the heights; the end stays in sight when the page is resized. */
import type { Signal } from '@preact/signals';
import type { Virtualizer } from '@tanstack/virtual-core';
import { useLayoutEffect } from 'preact/hooks';

interface Columns {
  scroller: { current: HTMLDivElement | null };
  columns: Signal<number>;
  isFollowing: Signal<boolean>;
  virtual: Virtualizer<HTMLElement, HTMLElement>;
}

export function useColumns({ scroller, columns, isFollowing, virtual }: Columns): void {
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      const probe = element.querySelector('.log-probe');
      const charPx = (probe?.getBoundingClientRect().width ?? 72) / 10;
      const gutterPx = 80;
      const fit = Math.max(20, Math.floor((element.clientWidth - gutterPx) / charPx));
      if (fit !== columns.peek()) {
        columns.value = fit;
        virtual.measure();
      }
      if (isFollowing.peek()) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [columns, isFollowing, scroller, virtual]);
}
