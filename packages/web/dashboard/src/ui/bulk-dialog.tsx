/**
 * An action on many tasks: first what it would do, then what it did, a line for each task. Guarantees: the button that
 * does it names the exact number; lines are windowed, so that ten thousand of them open at once.
 */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import {
  actionWords,
  forecastText,
  groupItems,
  resultText,
  type BulkAction,
  type BulkGroup,
  type BulkItem,
} from '../model/bulk.ts';
import { countText, plural } from '../model/words.ts';
import { bulk, confirmBulk, endBulk, forecastBulk } from '../state/bulk.ts';
import { closeDialog } from '../state/dialogs.ts';
import { taskUrl } from '../state/navigation.ts';
import { Modal } from './modal.tsx';
import { useVirtual } from './use-virtual.ts';

export function BulkDialog(): JSX.Element | null {
  const current = bulk.value;
  const close = (): void => {
    endBulk();
    closeDialog();
  };
  if (current === undefined) return null;
  const { action, ids, names, stage } = current;
  const { verb, help } = actionWords[action];
  return (
    <Modal title={`${verb}: ${title(stage.kind)}`} onClose={close}>
      <div class="bulk" data-testid="bulk" data-stage={stage.kind}>
        <p role="status" data-testid="bulk-said">
          {stage.kind === 'asking' && 'Asking what would happen …'}
          {stage.kind === 'forecast' && forecastText(action, stage.items, stage.matched)}
          {stage.kind === 'acting' && `Asked ${stage.items.length} of ${plural(stage.of, 'task')} …`}
          {stage.kind === 'done' && resultText(action, stage.items)}
          {stage.kind === 'failed' && stage.problem.detail}
        </p>
        {stage.kind === 'forecast' && <p class="hint">{help}</p>}
        {stage.kind === 'acting' && (
          <progress value={stage.items.length} max={stage.of} aria-label="Tasks asked" />
        )}
        {(stage.kind === 'forecast' || stage.kind === 'done') && stage.items.length > 0 && (
          <Lines action={action} names={names} groups={groupItems(stage.items)} />
        )}
        <div class="form-end">
          {stage.kind === 'forecast' && <Confirm items={stage.items} verb={verb} />}
          {stage.kind === 'failed' && (
            <button type="button" onClick={() => void forecastBulk(action, ids)}>
              Ask again
            </button>
          )}
          <button type="button" onClick={close} data-testid="bulk-close">
            {stage.kind === 'done'
              ? 'Close'
              : stage.kind === 'acting'
                ? 'Close; what was asked goes on'
                : 'Leave all as it is'}
          </button>
        </div>
      </div>
    </Modal>
  );
}

function title(stage: 'asking' | 'forecast' | 'acting' | 'done' | 'failed'): string {
  if (stage === 'done') return 'what was done';
  return stage === 'acting' ? 'under way' : 'dry run';
}

function Confirm({ items, verb }: { items: readonly BulkItem[]; verb: string }): JSX.Element | null {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  const count = items.filter(({ result }) => result === 'wouldDo').length;
  if (count === 0) return null;
  return (
    <button
      type="button"
      class="primary"
      ref={button}
      onClick={() => void confirmBulk()}
      data-testid="bulk-confirm"
    >
      {verb} {plural(count, 'task')}
    </button>
  );
}

type Line = { kind: 'head'; group: BulkGroup } | { kind: 'row'; id: string };

const resultWords: Record<Exclude<BulkItem['result'], 'done'>, string> = {
  wouldDo: 'Would be done',
  promised: 'On record; delivered when the agent answers',
  refused: 'Refused',
  notAsked: 'No answer came; asking again is harmless',
};
const LINE_PX = 28;

function Lines({
  action,
  names,
  groups,
}: {
  action: BulkAction;
  names: ReadonlyMap<string, string>;
  groups: readonly BulkGroup[];
}): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = groups.flatMap((group): Line[] => [
    { kind: 'head', group },
    ...group.ids.map((id): Line => ({ kind: 'row', id })),
  ]);
  const virtual = useVirtual({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => index,
    overscan: 6,
  });
  return (
    <div class="bulk-lines" ref={scroller} tabIndex={0} role="list" aria-label="A result for each task">
      <div class="runway" role="presentation" style={{ height: `${virtual.getTotalSize()}px` }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          return (
            line && (
              <div
                key={item.key}
                class={`bulk-line is-${line.kind}`}
                role="listitem"
                style={{ transform: `translateY(${item.start}px)`, height: `${LINE_PX}px` }}
                {...(line.kind === 'row'
                  ? { 'data-testid': 'bulk-row' }
                  : { 'data-testid': 'bulk-group', 'data-result': line.group.result })}
              >
                {line.kind === 'head' ? (
                  <Head action={action} group={line.group} />
                ) : (
                  <Row id={line.id} name={names.get(line.id)} />
                )}
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

function Head({ action, group }: { action: BulkAction; group: BulkGroup }): JSX.Element {
  // That a cancel was asked for is not that anything has stopped.
  const said =
    group.message ??
    (group.result === 'done' ? capital(actionWords[action].done) : resultWords[group.result]);
  return (
    <span title={said}>
      <strong class="num">{countText(group.ids.length)}</strong>{' '}
      {group.result === 'refused' && group.message !== undefined ? 'Refused: ' : ''}
      {said}
    </span>
  );
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function Row({ id, name }: { id: string; name: string | undefined }): JSX.Element {
  return (
    <>
      <a href={taskUrl(id)} onClick={closeDialog}>
        <bdi>{name ?? id}</bdi>
      </a>
      {/* What begins an id is its time: those of one moment differ at their end. */}
      {name !== undefined && <span class="dim mono">…{id.slice(-12)}</span>}
    </>
  );
}
