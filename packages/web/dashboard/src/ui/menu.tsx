/** The rail as a dialog, where the page has no room for it. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { closeDialog } from '../state/dialogs.ts';
import { place } from '../state/navigation.ts';
import { Modal } from './modal.tsx';
import { RailContent } from './rail.tsx';

export function MenuDialog(): JSX.Element {
  const opened = useRef(place.value);
  const { value } = place;
  useEffect(() => {
    if (value !== opened.current) closeDialog();
  }, [value]);
  return (
    <Modal title="Views" onClose={closeDialog}>
      <div class="rail is-menu">
        <RailContent />
      </div>
    </Modal>
  );
}
