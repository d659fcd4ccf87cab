/** Which paths belong to the service itself; all others are the dashboard's. */

const roots = ['/api', '/livez', '/readyz', '/metrics', '/openapi.json', '/docs'];

export function isServicePath(path: string): boolean {
  return roots.some((root) => path === root || path.startsWith(`${root}/`));
}

const open = new Set(['/livez', '/readyz', '/api/sign-in']);

/** Paths that need no credential: health, the sign-in itself, and the dashboard's page, which is empty. */
export function isPublicPath(path: string): boolean {
  return open.has(path) || !isServicePath(path);
}
