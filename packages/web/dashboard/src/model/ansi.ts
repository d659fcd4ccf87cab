/**
 * Terminal output as styled text. Guarantees: what a task prints is only ever text: no markup of its own, no
 * control character but tab, links only to http and https. A sequence that is split over chunks is kept whole.
 *
 * `ansi_up` reads the colours. Its HTML is taken apart again into segments, because a `style` attribute in markup is
 * forbidden by the page's Content-Security-Policy, while a style that is set from script is not.
 */
import { AnsiUp } from 'ansi_up';

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
  href?: string;
}

/** An operating system command other than a hyperlink: window titles, progress, clipboard. Never shown. */
// oxlint-disable-next-line no-control-regex
const FOREIGN_OSC = /\x1b\](?!8;)[^\x07\x1b]*(?:\x07|\x1b\\)/g;
// oxlint-disable-next-line no-control-regex
const UNFINISHED_OSC = /\x1b(?:\](?:(?!8;)[^\x07\x1b]*\x1b?)?)?$/;
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;
/** A command that never ends is not one. */
const LONGEST_OSC = 4096;

export class AnsiReader {
  #ansi = new AnsiUp();
  #rest = '';

  constructor() {
    this.#ansi.use_classes = true;
    this.#ansi.boldStyle = 'bold';
    this.#ansi.faintStyle = 'faint';
    this.#ansi.italicStyle = 'italic';
    this.#ansi.underlineStyle = 'underline';
    // The text of a link is kept whatever its scheme; which schemes become links is decided in `readLink`.
    this.#ansi.url_allowlist = new Proxy({}, { get: () => 1 });
  }

  /** The segments of `text`, which holds no line break; colours carry on from the text before. */
  read(text: string): Segment[] {
    let whole = (this.#rest + text).replaceAll(FOREIGN_OSC, '');
    this.#rest = '';
    const unfinished = UNFINISHED_OSC.exec(whole)?.[0];
    if (unfinished !== undefined && unfinished.length < LONGEST_OSC) {
      this.#rest = unfinished;
      whole = whole.slice(0, whole.length - unfinished.length);
    }
    return parseMarkup(this.#ansi.ansi_to_html(whole));
  }
}

const MARKUP = /<span([^>]*)>([^<]*)<\/span>|<a href="([^"]*)">([^<]*)<\/a>|([^<]+)/g;

function parseMarkup(html: string): Segment[] {
  const segments: Segment[] = [];
  for (const [, attributes, styled, url, linked, plain] of html.matchAll(MARKUP)) {
    const text = clean(styled ?? linked ?? plain ?? '');
    if (text === '') continue;
    if (attributes !== undefined) segments.push({ text, ...readAttributes(attributes) });
    else if (url !== undefined) segments.push({ text, ...readLink(unescape(url)) });
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

function readLink(url: string): Omit<Segment, 'text'> {
  return /^https?:\/\//i.test(url) ? { href: url } : {};
}

function clean(escaped: string): string {
  return unescape(escaped).replaceAll(CONTROLS, '');
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
