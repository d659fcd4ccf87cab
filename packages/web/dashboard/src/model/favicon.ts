/**
 * The page's icon as a `data:` URL. Guarantees: the worst state has a shape of its own (a badge with its count; a dashed
 * frame where nothing is vouched for), so that it does not depend on colour.
 */

export type FaviconState = { kind: 'calm' } | { kind: 'alert'; count: number } | { kind: 'stale' };

const MOST_COUNTED = 9;

export function faviconSvg(state: FaviconState): string {
  const mark = (colour: string): string =>
    `<path d="M9 7v18M23 7v18M9 16h14" stroke="${colour}" stroke-width="4" stroke-linecap="round"/>`;
  const open = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">';
  if (state.kind === 'stale') {
    return `${open}<rect x="1.5" y="1.5" width="29" height="29" rx="7" fill="#fff" stroke="#888" stroke-width="3" stroke-dasharray="4 3"/>${mark('#888')}</svg>`;
  }
  const face = `${open}<rect width="32" height="32" rx="8" fill="#14202e"/>${mark('#7cc4ff')}`;
  if (state.kind === 'calm') return `${face}</svg>`;
  const text = state.count > MOST_COUNTED ? `${MOST_COUNTED}+` : String(state.count);
  return `${face}<circle cx="22" cy="10" r="10" fill="#ffb02e"/><text x="22" y="15" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="${text.length > 1 ? 12 : 15}" fill="#14202e">${text}</text></svg>`;
}

export function faviconUrl(state: FaviconState): string {
  return `data:image/svg+xml,${encodeURIComponent(faviconSvg(state))}`;
}
