/**
 * The page and its web, for tests of this folder: to be imported before what is tested, which looks at the page as it is
 * loaded. Guarantees: a page in sight, without SharedWorker; every request is answered by `fakeWeb.answer`.
 */
import type { FirstTaskPage } from '../transport/api.ts';
import type { ShownTask } from '@holdfast/shared';

export const fakeWeb = {
  /** What web answers, by the path and the query; `Response.error()` for no answer. */
  answer: (_path: string): Response | Promise<Response> => Response.error(),
  asked: [] as string[],
};

const page = {
  window: globalThis,
  location: new URL('http://127.0.0.1:7400/'),
  history: { pushState: () => undefined, replaceState: () => undefined },
  document: { visibilityState: 'visible', addEventListener: () => undefined },
  addEventListener: () => undefined,
  fetch: async (path: string): Promise<Response> => {
    fakeWeb.asked.push(path);
    const answer = await fakeWeb.answer(path);
    if (answer.type === 'error') throw new TypeError('fetch failed');
    return answer;
  },
};
Object.assign(globalThis, page);

export function pageOf(version: number, items: ShownTask[], more: Partial<FirstTaskPage> = {}): Response {
  return Response.json({ items, cursor: `e.${version}`, total: items.length, ...more });
}
