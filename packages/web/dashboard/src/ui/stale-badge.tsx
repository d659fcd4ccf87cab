/** That nobody seems to work on a task, in a few words; the whole sentence is its title. */
import type { JSX } from 'preact';
import type { Stale } from '../model/stale.ts';

export function StaleBadge({ stale }: { stale: Stale }): JSX.Element {
  return (
    <span class="label is-attention" title={stale.text} data-testid="stale-badge" data-stale={stale.code}>
      {stale.badge}
    </span>
  );
}
