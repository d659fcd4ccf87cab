/** Keys, the grammar of the search, and what each status means. */
import type { JSX } from 'preact';
import { shownStatuses } from '@holdfast/shared/status';
import { bindings } from '../model/keymap.ts';
import { logBindings } from '../model/log-keys.ts';
import { hints } from '../model/search.ts';
import { statusHelp } from '../model/sentence.ts';
import { closeDialog } from '../state/dialogs.ts';
import { setSingleKeys, singleKeys } from '../state/preferences.ts';
import { StatusIcon } from './icons.tsx';
import { Modal } from './modal.tsx';

/** The output's own keys stand beside those of the page. */
const sheet: readonly {
  group: string;
  of: readonly { keys: readonly string[]; shown?: readonly string[]; what: string }[];
}[] = [...bindings, logBindings];

export function HelpDialog(): JSX.Element {
  return (
    <Modal title="Keys, search and signs" onClose={closeDialog}>
      <label class="single-keys">
        <input
          type="checkbox"
          checked={singleKeys.value}
          onChange={(event) => setSingleKeys(event.currentTarget.checked)}
          data-testid="single-keys"
        />
        Single letters act
      </label>
      {sheet.map(({ group, of }) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl class="keys">
            {of.map(({ keys, shown = keys, what }) => (
              <div key={what}>
                <dt>
                  {shown.map((name, index) => (
                    <kbd key={index}>{name}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <h3>Search</h3>
      <dl class="keys">
        {Object.entries(hints).map(([name, hint]) => (
          <div key={name}>
            <dt class="mono">{name}:</dt>
            <dd>{hint}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        A minus before a word of these means all others: -agent:laptop. Quotes keep spaces together, and make
        text of what looks like one of these. Everything else is looked for in title, command, id and session.
      </p>
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
