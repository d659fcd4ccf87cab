/** One line of a log. Guarantees: what was printed is text; its number is no part of what is selected or copied. */
import type { JSX } from 'preact';
import { segmentsOf } from '../model/ansi.ts';
import { highlight, type MarkedSegment } from '../model/highlight.ts';
import type { LogLine } from '../model/log-lines.ts';
import { extendMark, markToHash, type LogMark } from '../model/log-mark.ts';
import { placeToUrl } from '../model/place.ts';
import { bytesText } from '../model/words.ts';
import { unmark } from '../state/log-marks.ts';
import { go, place } from '../state/navigation.ts';

interface LineProps {
  line: LogLine;
  index: number;
  number: number | undefined;
  top: number;
  /** Absent where every line is as high as the others. */
  measure: ((element: HTMLElement | null) => void) | undefined;
  isMarked: boolean;
  isCurrent: boolean;
  needle: string;
}

export function Line(props: LineProps): JSX.Element {
  const { line, index, number, top, measure, isMarked, isCurrent, needle } = props;
  const classes = `line${isMarked ? ' is-marked' : ''}${isCurrent ? ' is-current' : ''}`;
  return (
    <div
      class={classes}
      {...(measure === undefined ? {} : { ref: measure })}
      data-index={index}
      data-line={number}
      style={{ transform: `translateY(${top}px)` }}
    >
      <LineNumber at={line.at} number={number} />
      <span class="line-text">
        {highlight(segmentsOf(line.text, line.style), needle).map((segment, at) => (
          <Piece key={at} segment={segment} />
        ))}
        {line.omittedBytes !== undefined && (
          <span class="line-omitted"> … {bytesText(line.omittedBytes)} of this line left out</span>
        )}
      </span>
    </div>
  );
}

function LineNumber({ at, number }: { at: number; number: number | undefined }): JSX.Element {
  const mark: LogMark =
    number === undefined ? { kind: 'byte', offset: at } : { kind: 'lines', from: number, to: number };
  return (
    <a
      class="line-number"
      href={placeToUrl({ ...place.value, mark })}
      data-number={number ?? '·'}
      // Tens of thousands of stops would be in nobody's interest: the address of a line is also made by "Link".
      tabIndex={-1}
      aria-hidden="true"
      title={
        number === undefined
          ? 'Link to this line. Its number is not known: what is before it was not read.'
          : `Link to line ${number}; with shift, to all lines up to it`
      }
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        const marked = place.peek().mark;
        // Again on the only line that is marked: it was marked by mistake.
        if (!event.shiftKey && marked !== undefined && markToHash(marked) === markToHash(mark)) {
          unmark();
          return;
        }
        const extended = event.shiftKey && number !== undefined ? extendMark(marked, number) : mark;
        go({ ...place.peek(), mark: extended }, 'replace');
      }}
    />
  );
}

function Piece({ segment }: { segment: MarkedSegment }): JSX.Element {
  const { text, href, classes, colour, background, isBold, isFaint, isItalic, isUnderlined } = segment;
  const { isReversed, isMatch } = segment;
  const said = isMatch === true ? <mark>{text}</mark> : text;
  if (href !== undefined) {
    return (
      <a href={href} target="_blank" rel="noreferrer noopener">
        {said}
      </a>
    );
  }
  const names = [
    classes,
    isBold && 'bold',
    isFaint && 'faint',
    isItalic && 'italic',
    isUnderlined && 'underline',
    isReversed && 'reversed',
    colour !== undefined && 'given-fg',
    background !== undefined && 'given-bg',
    (background !== undefined || classes?.includes('-bg') === true) && 'on-ground',
  ].filter(Boolean);
  if (names.length === 0) return <>{said}</>;
  return (
    <span
      class={`piece ${names.join(' ')}`}
      style={{ '--given-fg': colour ?? '', '--given-bg': background ?? '' }}
    >
      {said}
    </span>
  );
}
