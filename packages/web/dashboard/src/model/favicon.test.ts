import { expect, test } from 'vitest';
import { faviconSvg, faviconUrl } from './favicon.ts';

test('the badge carries the count, at most one digit and a plus', () => {
  expect(faviconSvg({ kind: 'alert', count: 3 })).toContain('>3</text>');
  expect(faviconSvg({ kind: 'alert', count: 40 })).toContain('>9+</text>');
  expect(faviconSvg({ kind: 'calm' })).not.toContain('<text');
});

test('what nobody vouches for is dashed', () => {
  expect(faviconSvg({ kind: 'stale' })).toContain('stroke-dasharray');
});

test('it is a URL that a strict policy allows', () => {
  expect(decodeURIComponent(faviconUrl({ kind: 'calm' }))).toBe(
    `data:image/svg+xml,${faviconSvg({ kind: 'calm' })}`,
  );
});
