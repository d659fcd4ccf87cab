/** Checks of a home's files: what is there, who may read it, whether it is whole. */
import { statfsSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '@holdfast/shared';
import { codeOf, CONFIG_HINT, textOf } from '../cli-error.ts';
import { type DatabaseFile, inspectDatabase, journalFile, storeFile } from '../sqlite-file.ts';
import { VERSION } from '../version.ts';
import { bytesText, quoteWord } from '../words.ts';
import { type Check, type CheckContext, fail, type Finding, ok, warn } from './check.ts';

const GROUP_AND_OTHERS = 0o077;
const LEAST_NODE = 24;

export const homeChecks: readonly Check[] = [
  { name: 'program', of: 'home', run: checkProgram },
  { name: 'home', of: 'home', run: checkHome },
  { name: 'config', of: 'home', run: checkConfig },
  { name: 'secrets', of: 'home', run: checkSecrets },
  { name: 'disk', of: 'home', run: checkDisk },
  { name: 'journal', of: 'home', run: (context) => checkDatabase(context, journalFile) },
  { name: 'store', of: 'home', run: (context) => checkDatabase(context, storeFile) },
];

function checkProgram(): Promise<Finding[]> {
  const what = `Holdfast ${VERSION} on Node ${process.version}`;
  const major = Number(process.versions.node.split('.')[0]);
  return one(
    major >= LEAST_NODE
      ? ok(what)
      : fail(what, `Run it with Node ${LEAST_NODE}: pnpm holdfast, from the repository’s root.`),
  );
}

function checkHome({ home }: CheckContext): Promise<Finding[]> {
  const stats = statOf(home);
  if (stats === undefined)
    return one(
      fail(
        `${home} does not exist`,
        'Make it with: holdfast up. If Holdfast has another home, set HOLDFAST_HOME or give --home.',
      ),
    );
  if (!stats.isDirectory()) return one(fail(`${home} is no directory`, 'Set HOLDFAST_HOME, or give --home.'));
  if ((stats.mode & GROUP_AND_OTHERS) !== 0) {
    return one(
      fail(
        `${home} is open to others (mode ${modeText(stats)}); it holds tokens, and the environment of tasks`,
        `chmod 700 ${quoteWord(home)}`,
      ),
    );
  }
  return one(ok(`${home} is there and private`));
}

function checkConfig({ home, io }: CheckContext): Promise<Finding[]> {
  try {
    loadConfig({ flags: { home }, env: io.env });
    return one(ok('the configuration is valid'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return one(fail(error.message, CONFIG_HINT));
  }
}

/** Whoever reads one of these may run commands as this user, or knows the environment of tasks. */
const secretFiles = ['agent.token', 'web.token', 'remote-agents.json', 'agent.db', 'web.db'] as const;

function checkSecrets({ home, io }: CheckContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  const seen: string[] = [];
  const names = hasChannels(home, io.env) ? [...secretFiles, 'config.json'] : secretFiles;
  for (const name of names) {
    const stats = statOf(join(home, name));
    if (stats === undefined) continue;
    seen.push(name);
    if ((stats.mode & GROUP_AND_OTHERS) === 0) continue;
    const path = quoteWord(join(home, name));
    const renew = name.endsWith('.token')
      ? ' If others may have read it, remove it and restart the service: it makes a new one.'
      : '';
    findings.push(fail(`${name} is open to others (mode ${modeText(stats)})`, `chmod 600 ${path}${renew}`));
  }
  if (findings.length > 0 || seen.length === 0) return Promise.resolve(findings);
  return one(ok(`${seen.join(', ')}: of mode 0600`));
}

/** A channel’s address is its password. A configuration that is not valid is reported by its own check. */
function hasChannels(home: string, env: NodeJS.ProcessEnv): boolean {
  try {
    return Object.keys(loadConfig({ flags: { home }, env }).config.notifications.channels).length > 0;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Below this share of the disk an agent starts nothing, nor below the setting `lowDiskBytes`. */
const LOW_SHARE = 0.05;

function checkDisk({ home, io }: CheckContext): Promise<Finding[]> {
  if (statOf(home) === undefined) return Promise.resolve([]);
  const { bavail, blocks, bsize } = statfsSync(home);
  const lowBytes = lowDiskBytes(home, io.env);
  return one(judgeDisk({ home, freeBytes: bavail * bsize, totalBytes: blocks * bsize, lowBytes }));
}

/** `lowBytes` is the setting; a share of the disk bounds it. */
export function judgeDisk(disk: {
  home: string;
  freeBytes: number;
  totalBytes: number;
  lowBytes: number;
}): Finding {
  const { home, freeBytes, totalBytes } = disk;
  const lowBytes = Math.min(disk.lowBytes, LOW_SHARE * totalBytes);
  const text = `${bytesText(freeBytes)} free of ${bytesText(totalBytes)}`;
  const hint = `Free some: du -sh ${quoteWord(home)}/*; old runs go with HOLDFAST_RETENTION_MS.`;
  if (freeBytes < lowBytes)
    return fail(`${text}: the agent starts nothing below ${bytesText(lowBytes)}`, hint);
  if (freeBytes < 2 * lowBytes)
    return warn(`${text}: below ${bytesText(lowBytes)} the agent starts nothing`, hint);
  return ok(text);
}

function lowDiskBytes(home: string, env: NodeJS.ProcessEnv): number {
  try {
    return loadConfig({ flags: { home }, env }).config.lowDiskBytes;
  } catch (error) {
    // The check of the configuration reports it.
    if (error instanceof ConfigError) return loadConfig({ env: {} }).config.lowDiskBytes;
    throw error;
  }
}

function checkDatabase({ home }: CheckContext, file: DatabaseFile): Promise<Finding[]> {
  const path = join(home, file.name);
  if (statOf(path) === undefined) return Promise.resolve([]);
  const seen = inspectDatabase(path, file);
  const what = `the ${file.what} ${file.name}`;
  switch (seen.kind) {
    case 'damaged':
      return one(
        fail(
          `${what} is damaged: ${seen.message}`,
          `Stop the services and move ${quoteWord(path)} aside, with its -wal and -shm. Then put a copy made by holdfast backup in its place, or start anew: ${
            file.service === 'web'
              ? 'web fills a new store from its agents.'
              : 'the agent begins a new journal.'
          }`,
        ),
      );
    case 'unseen':
      return one(
        warn(`${what} could not be looked at: ${seen.message}`, 'That says nothing about it; try again.'),
      );
    case 'sound':
      if (seen.isNewer)
        return one(fail(`${what} was written by a newer version of Holdfast`, 'Use that version.'));
      if (seen.schema === null)
        return one(warn(`${what} is empty`, `Start the ${file.service} service once.`));
      return one(
        seen.missing.length > 0
          ? warn(
              `${what} is whole; its schema ${seen.schema} is older than this version’s (${seen.missing.at(-1)})`,
              `It is brought up to date when the ${file.service} service starts; restart it.`,
            )
          : ok(`${what} is whole, schema ${seen.schema}, epoch ${seen.meta.get('epoch') ?? 'not set yet'}`),
      );
    default:
      return seen satisfies never;
  }
}

function one(finding: Finding): Promise<Finding[]> {
  return Promise.resolve([finding]);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be looked at: ${textOf(error)}`, { cause: error });
  }
}

function modeText(stats: Stats): string {
  return (stats.mode & 0o777).toString(8).padStart(4, '0');
}
