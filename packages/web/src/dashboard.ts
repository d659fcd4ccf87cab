/**
 * The dashboard's files. The page is public and empty: all that it shows it must ask for.
 *
 * - A file of the build is answered as it is, with an ETag of its content; what Vite named by its content
 *   (under `assets/`) may be kept for ever, everything else is asked for again.
 * - A path under `assets/`, or a single name with a dot, is a file or nothing; every other is a page of the
 *   dashboard and gets `index.html` (ids in it may hold dots).
 * - Nothing outside the build's folder can be named.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context, MiddlewareHandler } from 'hono';
import { codeOf } from './error-code.ts';
import { isServicePath } from './routes/paths.ts';

const DASHBOARD_FOLDER = fileURLToPath(new URL('../dashboard/dist', import.meta.url));

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

const NOT_BUILT = 'The dashboard is not built. Run "pnpm build" and load this page again.\n';

/** Answers GET and HEAD for everything that is no path of the service; to be added after every route. */
export function serveDashboard(folder: string = DASHBOARD_FOLDER): MiddlewareHandler {
  return async (context, next) => {
    const { method, path } = context.req;
    if ((method !== 'GET' && method !== 'HEAD') || isServicePath(path)) return next();
    if (/^\/(assets\/.*|[^/]*\.[^/]*)$/.test(path)) {
      const bytes = await readInside(folder, path);
      return bytes === undefined ? next() : answerFile(context, path, bytes);
    }
    const page = await readInside(folder, '/index.html');
    return page === undefined ? context.text(NOT_BUILT, 503) : answerFile(context, '/index.html', page);
  };
}

async function readInside(folder: string, path: string): Promise<Buffer<ArrayBuffer> | undefined> {
  if (path.includes('\0') || path.includes('\\')) return undefined;
  const file = normalize(join(folder, path));
  if (!file.startsWith(folder + sep)) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    // A name that the build does not have is an ordinary wrong path; anything else is a fault to be told.
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR' || code === 'ENAMETOOLONG')
      return undefined;
    throw error;
  }
}

function answerFile(context: Context, path: string, bytes: Buffer<ArrayBuffer>): Response {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  const headers = {
    etag,
    'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
  if (context.req.header('if-none-match') === etag) return context.body(null, 304, headers);
  const type = types[extname(path).toLowerCase()] ?? 'application/octet-stream';
  return context.body(bytes, 200, { ...headers, 'content-type': type });
}
