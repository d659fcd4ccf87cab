/**
 * How a running web is found: it holds the lock of its home for its lifetime, and says in `web.json` where it is.
 * The lock is the truth; the file may be left over from a web that was killed.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { takeInstanceLock, writeFileDurably } from '@holdfast/shared';
import { z } from 'zod';

const AnnouncementSchema = z.object({ url: z.string(), pid: z.number().int() });
type Announcement = z.infer<typeof AnnouncementSchema>;

/** Takes the home for one web, or throws `AlreadyRunningError`, which names the one that has it. */
export function takeHome(home: string): Disposable {
  return takeInstanceLock({ service: 'web', home, holder: () => readAnnouncement(home) });
}

/** Says where this web is. Dispose of it to say so no longer. */
export function announceWeb(home: string, url: string): Disposable {
  const path = join(home, 'web.json');
  writeFileDurably(path, `${JSON.stringify({ url, pid: process.pid } satisfies Announcement)}\n`);
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

function readAnnouncement(home: string): Announcement | undefined {
  try {
    return AnnouncementSchema.parse(JSON.parse(readFileSync(join(home, 'web.json'), 'utf8')));
  } catch {
    // Missing or half written: all that it could add is who holds the lock.
    return undefined;
  }
}
