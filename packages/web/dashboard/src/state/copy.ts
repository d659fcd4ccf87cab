/** The clipboard. Guarantees: it is said what was copied, or that it could not be and what to do instead. */
import { notify } from './notices.ts';

/** `what` goes into the sentence "Copied …". */
export function copyText(text: string, what: string): void {
  // Absent where the page is neither on https nor on this machine, whatever the types say.
  const clipboard: Clipboard | undefined = navigator.clipboard;
  if (clipboard === undefined) {
    notify(
      'The browser allows copying only on https or localhost. Select the text and copy it yourself.',
      'problem',
    );
    return;
  }
  clipboard.writeText(text).then(
    () => notify(`Copied ${what}.`),
    () => notify('The browser did not allow copying. Select the text and copy it yourself.', 'problem'),
  );
}
