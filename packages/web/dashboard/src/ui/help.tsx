/** Keys, and what each status means. */
import type { JSX } from 'preact';
import { shownStatuses } from '@holdfast/shared/status';
import { statusHelp } from '../model/sentence.ts';
import { closeDialog } from '../state/dialogs.ts';
import { StatusIcon } from './icons.tsx';
import { Modal } from './modal.tsx';

const keys: [string[], string][] = [
  [['/'], 'Search'],
  [['j', 'k'], 'Next and previous task'],
  [['Enter'], 'Open the task'],
  [['Esc'], 'Close the task, a dialog or the search'],
  [['n'], 'New task'],
  [['c', 'c'], 'Cancel the task (twice, so that one slip stops nothing)'],
  [['r'], 'Retry the ended task as a new one'],
  [['y'], 'Copy the task as a command line'],
  [['?'], 'This page'],
];

export function HelpDialog(): JSX.Element {
  return (
    <Modal title="Keys and signs" onClose={closeDialog}>
      <dl class="keys">
        {keys.map(([names, what]) => (
          <div key={what}>
            <dt>
              {names.map((name, index) => (
                <kbd key={index}>{name}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h3>What a status says</h3>
      <dl class="signs">
        {shownStatuses.map((status) => (
          <div key={status}>
            <dt>
              <StatusIcon status={status} certainty={status === 'unknown' ? 'unknown' : 'live'} />{' '}
              {statusHelp[status].word}
            </dt>
            <dd>{statusHelp[status].help}</dd>
          </div>
        ))}
        <div>
          <dt>
            <StatusIcon status="running" certainty="stale" /> Stale
          </dt>
          <dd>
            The last word is older than it should be. Clocks stand still at the last proof: 12:40+ means at
            least that long.
          </dd>
        </div>
      </dl>
    </Modal>
  );
}
