/** The way to the rail where the page has no room for it; the style sheet says where that is. */
import type { JSX } from 'preact';
import { countText } from '../model/words.ts';
import { openDialog } from '../state/dialogs.ts';
import { needsYou } from '../state/views.ts';
import { Icon } from './icons.tsx';

export function MenuButton(): JSX.Element {
  const needy = needsYou.value ?? 0;
  return (
    <button
      type="button"
      class="menu-open"
      onClick={() => openDialog('menu')}
      aria-label={`Views, agents, sessions and labels${needy > 0 ? `; ${needy} need you` : ''}`}
      data-testid="menu-open"
    >
      <Icon name="menu" />
      {needy > 0 && <span class="num needs">{countText(needy)}</span>}
    </button>
  );
}
