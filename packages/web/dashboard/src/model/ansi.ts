/**
 * Terminal output as styled text. Guarantees: what a task prints is only ever text: no markup of its own, no
 * control character but tab, none that turns the direction of text around, links only to http and https. A line is
 * read when it is looked at, so that what nobody looks at costs nothing.
 *
 * `ansi_up` reads the colours. Its HTML is taken apart again into segments, because a `style` attribute in markup is
 * forbidden by the page's Content-Security-Policy, while a style that is set from script is not.
 */
import { AnsiUp } from 'ansi_up';
import { withoutBidi } from './bidi.ts';

/** `colour` and `background` are `rgb(…)`; the sixteen named colours are classes, so that a theme decides them. */
export interface Segment {
  text: string;
  classes?: string;
  colour?: string;
  background?: string;
  isBold?: boolean;
  isFaint?: boolean;
  isItalic?: boolean;
  isUnderlined?: boolean;
  /** Foreground and background change places. */
  isReversed?: boolean;
  href?: string;
}

/** An operating system command other than a hyperlink: window titles, progress, clipboard. Never shown. */
// oxlint-disable-next-line no-control-regex
const FOREIGN_OSC = /\x1b\](?!8;)[^\x07\x1b]*(?:\x07|\x1b\\)/g;
// oxlint-disable-next-line no-control-regex
const UNFINISHED_OSC = /\x1b(?:\](?:(?!8;)[^\x07\x1b]*\x1b?)?)?$/;
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;
/** Where a hyperlink begins, or, with an empty address, ends. */
// oxlint-disable-next-line no-control-regex
const LINK = /\x1b\]8;[^;\x07\x1b]*;([^\x07\x1b]*)(?:\x07|\x1b\\)/g;
/** One that another sequence cuts short. */
// oxlint-disable-next-line no-control-regex
const BROKEN_LINK = /\x1b\]8;[^\x07\x1b]*(?=\x1b[^\\])/g;
/** A command that never ends is not one. */
const LONGEST_OSC = 4096;

/**
 * The segments of one line. `style` is what was in force at its beginning (`styleAfter`). A sequence that is cut off at
 * its end is not shown: the rest of it may be on its way.
 */
export function segmentsOf(text: string, style = ''): Segment[] {
  // Nothing but plain text, which is most of what is printed.
  if (style === '' && !text.includes('\x1b')) {
    const plain = withoutBidi(text.replaceAll(CONTROLS, ''));
    return plain === '' ? [] : [{ text: plain }];
  }
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  ansi.boldStyle = 'bold';
  ansi.faintStyle = 'faint';
  ansi.italicStyle = 'italic';
  ansi.underlineStyle = 'underline';
  const segments: Segment[] = [];
  let link: Omit<Segment, 'text'> = {};
  let isReversed = false;
  const takeEvenly = (part: string): void => {
    const looks = isReversed ? { ...link, isReversed } : link;
    for (const segment of parseMarkup(ansi.ansi_to_html(part))) segments.push({ ...segment, ...looks });
  };
  // `ansi_up` does not know reverse video: it is given pieces in which that does not change.
  const take = (part: string): void => {
    let from = 0;
    for (const found of part.matchAll(STYLE)) {
      const after = isReversedAfter(found[1] ?? '', isReversed);
      if (after === isReversed) continue;
      takeEvenly(part.slice(from, found.index));
      from = found.index;
      isReversed = after;
    }
    takeEvenly(part.slice(from));
  };
  // `ansi_up` knows links that hold nothing but text, and loses what follows any other: colours within, no end.
  const said = style + withoutForeign(text).replaceAll(BROKEN_LINK, '');
  let at = 0;
  for (const found of said.matchAll(LINK)) {
    take(said.slice(at, found.index));
    link = readLink(found[1] ?? '');
    at = found.index + found[0].length;
  }
  take(said.slice(at));
  return segments;
}

/** `parameters` of one style sequence: 7 turns reverse video on, 27 and a reset turn it off. */
function isReversedAfter(parameters: string, before: boolean): boolean {
  const codes = parameters.split(';');
  let isReversed = before;
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] === '' ? 0 : Number(codes[i]);
    if (code === 7) isReversed = true;
    else if (code === 27 || code === 0) isReversed = false;
    // A colour's own numbers follow it: 38;5;n or 38;2;r;g;b.
    else if (code === 38 || code === 48) i += Number(codes[i + 1]) === 2 ? 4 : 2;
  }
  return isReversed;
}

function withoutForeign(text: string): string {
  const whole = text.replaceAll(FOREIGN_OSC, '');
  const unfinished = UNFINISHED_OSC.exec(whole)?.[0];
  return unfinished !== undefined && unfinished.length < LONGEST_OSC
    ? whole.slice(0, whole.length - unfinished.length)
    : whole;
}

/** Sequences that change nothing of what a line says: colours, cursor moves, the two ends of a hyperlink. */
// oxlint-disable-next-line no-control-regex
const SILENT = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)/g;
// oxlint-disable-next-line no-control-regex
const CUT_OFF = /\x1b(?:\[[0-?]*[ -/]*|\]8;[^\x07\x1b]*\x1b?)?$/;

/** What a line says, without its looks: for searching and copying. */
export function plainOf(text: string): string {
  const said = text.includes('\x1b')
    ? withoutForeign(text).replaceAll(SILENT, '').replace(CUT_OFF, '')
    : text;
  // A lone escape is none of the above and no character either.
  return withoutBidi(said.replaceAll(CONTROLS, '').replaceAll('\x1b', ''));
}

// oxlint-disable-next-line no-control-regex
const STYLE = /\x1b\[([\d;:]*)m/g;
/** More sequences than this are in force at once only where nothing ever resets them. */
const MOST_STYLES = 12;

/**
 * What is in force after `text`, as the sequences that would bring it about. It is not interpreted: setting the same
 * thing twice is setting it once, so of equal sequences the last one is kept, and a reset ends all before it.
 */
export function styleAfter(style: string, text: string): string {
  if (!text.includes('\x1b[')) return style;
  let inForce: string[] = style === '' ? [] : (style.match(STYLE) ?? []);
  for (const [sequence, parameters = ''] of text.matchAll(STYLE)) {
    if (parameters === '' || parameters === '0') inForce = [];
    else {
      inForce = inForce.filter((one) => one !== sequence);
      inForce.push(sequence);
    }
  }
  const after = inForce.slice(-MOST_STYLES).join('');
  return after === style ? style : after;
}

const MARKUP = /<span([^>]*)>([^<]*)<\/span>|([^<]+)/g;

function parseMarkup(html: string): Segment[] {
  const segments: Segment[] = [];
  for (const [, attributes, styled, plain] of html.matchAll(MARKUP)) {
    const text = clean(styled ?? plain ?? '');
    if (text === '') continue;
    if (attributes !== undefined) segments.push({ text, ...readAttributes(attributes) });
    else segments.push({ text });
  }
  return segments;
}

function readAttributes(attributes: string): Omit<Segment, 'text'> {
  const segment: Omit<Segment, 'text'> = {};
  const classes = /class="([^"]*)"/.exec(attributes)?.[1];
  if (classes) segment.classes = classes;
  for (const style of (/style="([^"]*)"/.exec(attributes)?.[1] ?? '').split(';')) {
    if (style === 'bold') segment.isBold = true;
    else if (style === 'faint') segment.isFaint = true;
    else if (style === 'italic') segment.isItalic = true;
    else if (style === 'underline') segment.isUnderlined = true;
    else if (style.startsWith('color:')) segment.colour = style.slice('color:'.length);
    else if (style.startsWith('background-color:'))
      segment.background = style.slice('background-color:'.length);
  }
  return segment;
}

/** The text of a link is kept whatever its scheme. */
function readLink(url: string): Omit<Segment, 'text'> {
  return /^https?:\/\//i.test(url) ? { href: url } : {};
}

function clean(escaped: string): string {
  return withoutBidi(unescape(escaped).replaceAll(CONTROLS, ''));
}

const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#x27;': "'",
};

function unescape(escaped: string): string {
  return escaped.replaceAll(/&(?:amp|lt|gt|quot|#x27);/g, (entity) => entities[entity] ?? entity);
}
