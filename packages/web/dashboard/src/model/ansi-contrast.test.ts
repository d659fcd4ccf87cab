/** Every pair of colours that a program can ask for is readable, computed from the rules that draw it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

type Oklab = readonly [l: number, a: number, b: number];
type Theme = 'light' | 'dark';

const read = (name: string): string => readFileSync(new URL(`../style/${name}`, import.meta.url), 'utf8');
const tokens = read('tokens.css');
const rules = read('log.css').replaceAll(/\s+/g, ' ');
const themes: readonly Theme[] = ['light', 'dark'];
const hues = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const names = [...hues, ...hues.map((hue) => `bright-${hue}`)];
const AA = 4.5;

// ── Colours (https://www.w3.org/TR/css-color-4/#color-conversion-code) ──────────────────────────────────────────

function fromHex(hex: string): Oklab {
  const digits = hex.length === 4 ? hex.slice(1).replaceAll(/./g, '$&$&') : hex.slice(1);
  const [r = 0, g = 0, b = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklch(l: number, c: number, hue: number): Oklab {
  const angle = (hue * Math.PI) / 180;
  return [l, c * Math.cos(angle), c * Math.sin(angle)];
}

/** Relative luminance (WCAG 2), of the colour as a screen can show it. */
function luminance([lightness, a, b]: Oklab): number {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (part: number): number => Math.min(1, Math.max(0, part));
  return (
    0.2126 * clip(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s) +
    0.7152 * clip(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s) +
    0.0722 * clip(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s)
  );
}

function contrast(one: Oklab, other: Oklab): number {
  const [dark = 0, bright = 0] = [luminance(one), luminance(other)].toSorted((x, y) => x - y);
  return (bright + 0.05) / (dark + 0.05);
}

const mix = (one: Oklab, other: Oklab, shareOfOther: number): Oklab => {
  const at = (i: 0 | 1 | 2): number => one[i] * (1 - shareOfOther) + other[i] * shareOfOther;
  return [at(0), at(1), at(2)];
};

// ── The rules ─────────────────────────────────────────────────────────────────────────────────────────────────────

function token(name: string, theme: Theme): Oklab {
  const [, light, dark] =
    new RegExp(`--${name}: light-dark\\((.+), (#\\w+|oklch\\(.+\\))\\);`).exec(tokens) ?? [];
  const text = theme === 'light' ? light : dark;
  if (text === undefined) throw new Error(`tokens.css has no --${name}`);
  if (text.startsWith('#')) return fromHex(text);
  const [l = 0, c = 0, hue = 0] = (/oklch\((.+)\)/.exec(text)?.[1] ?? '').split(' ').map(Number);
  return fromOklch(l, c, hue);
}

/** The body of the first rule with exactly this selector. */
function rule(selector: string): string {
  const start = rules.indexOf(`${selector} {`);
  if (start < 0) throw new Error(`log.css has no rule ${selector}`);
  return rules.slice(start, rules.indexOf('}', start));
}

function share(selector: string, property: string): number {
  const [, percent] =
    new RegExp(`${property}: color-mix\\(in oklab, [^,]+, var\\(--bg\\) (\\d+)%`).exec(rule(selector)) ?? [];
  return Number(percent) / 100;
}

/** A colour with its lightness and its strength moved as the rule says. */
function moved(colour: Oklab, selector: string, property: string, theme: Theme): Oklab {
  const of = (limit: string): string =>
    `oklch\\(from .+? ${limit}\\(l, ([\\d.]+)\\) min\\(c, ([\\d.]+)\\) h\\)`;
  const [, ...limits] =
    new RegExp(`[ {]${property}: light-dark\\( ?${of('min')}, ${of('max')}`).exec(rule(selector)) ?? [];
  const [most = 0, mostChroma = 0, least = 0, leastChroma = 0] = limits.map(Number);
  const [l, a, b] = colour;
  const chroma = Math.hypot(a, b);
  const kept = Math.min(1, (theme === 'light' ? mostChroma : leastChroma) / (chroma || 1));
  return [theme === 'light' ? Math.min(l, most) : Math.max(l, least), a * kept, b * kept];
}

const ground = (colour: Oklab, theme: Theme): Oklab =>
  mix(colour, token('bg', theme), share('.piece.on-ground', '--back'));

function worst(pairs: readonly [what: string, ratio: number][]): string[] {
  return pairs.filter(([, ratio]) => !(ratio >= AA)).map(([what, ratio]) => `${what}: ${ratio.toFixed(2)}`);
}

/** What a program may choose beyond the sixteen: the corners and the middle of what a screen can show. */
const given = ['#000', '#fff', '#f00', '#0f0', '#00f', '#ff0', '#0ff', '#f0f', '#808080', '#14143c'].map(
  fromHex,
);

test.each(themes)('each of the sixteen colours is readable on the log’s ground (%s)', (theme) => {
  expect(
    worst(names.map((name) => [name, contrast(token(`ansi-${name}`, theme), token('bg', theme))])),
  ).toEqual([]);
  const faint = contrast(token('dim', theme), token('bg', theme));
  expect(faint).toBeGreaterThanOrEqual(AA);
  const chosen = given.map((colour) => moved(colour, '.given-fg', '--fg', theme));
  expect(worst(chosen.map((colour, i) => [`given ${i}`, contrast(colour, token('bg', theme))]))).toEqual([]);
});

test.each(themes)(
  'each colour, and none, is readable on each ground that a program can choose (%s)',
  (theme) => {
    const named = names.map((name): [string, Oklab] => [name, token(`ansi-${name}`, theme)]);
    const grounds = [...named, ...given.map((colour, i): [string, Oklab] => [`given ${i}`, colour])];
    const texts: [string, Oklab][] = [
      ...named,
      ['none', token('text', theme)],
      ['faint', token('dim', theme)],
      ...given.map((colour, i): [string, Oklab] => [`given ${i}`, moved(colour, '.given-fg', '--fg', theme)]),
    ];
    const pairs = texts.flatMap(([text, colour]) =>
      grounds.map(([back, on]): [string, number] => [
        `${text} on ${back}`,
        contrast(moved(colour, '.piece.on-ground', 'color', theme), ground(on, theme)),
      ]),
    );
    expect(pairs.length).toBe(28 * 26);
    expect(worst(pairs)).toEqual([]);
  },
);

test.each(themes)('reverse video is readable with each colour, with and without a ground (%s)', (theme) => {
  const bg = token('bg', theme);
  const colours = [
    ...names.map((name) => token(`ansi-${name}`, theme)),
    token('text', theme),
    token('dim', theme),
  ];
  expect(worst(colours.map((colour, i) => [`${i}`, contrast(bg, colour)]))).toEqual([]);
  const inkShare = share('.piece.reversed.on-ground', 'color');
  const pairs = colours.flatMap((colour, i) =>
    [...names.map((name) => token(`ansi-${name}`, theme)), ...given].map((on, j): [string, number] => [
      `${i} on ${j}`,
      contrast(
        mix(ground(on, theme), bg, inkShare),
        moved(colour, '.piece.reversed.on-ground', 'background-color', theme),
      ),
    ]),
  );
  expect(worst(pairs)).toEqual([]);
});
