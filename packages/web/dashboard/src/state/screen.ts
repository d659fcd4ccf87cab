/** The room that the page has, where its structure depends on it. What only looks different is the style sheet's. */
import { signal } from '@preact/signals';

/** As in the style sheet. */
const phone = matchMedia('(max-width: 640px)');

/** The top has three short rows at most: agents and counts share one that is scrolled. */
export const isPhone = signal(phone.matches);

phone.addEventListener('change', () => {
  isPhone.value = phone.matches;
});
