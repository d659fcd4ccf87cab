/**
 * `holdfast backup`: a copy of what a home knows, made while its services run.
 *
 * Guarantees: each file is copied whole and is on the disk before its name exists, so that what was there before is
 * replaced or left; a database is copied in one consistent state, and checked; nothing is written over unasked; opening
 * the copy gives it an identity of its own, so that web never mistakes it for the original. Web's store is copied before
 * the journal: what it promised and had not delivered then is delivered again to the restored agent, which is harmless,
 * and nothing that it delivered is missing there.
 */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CliError, codeOf, textOf } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { copyDatabase, copyFile, journalFile, storeFile } from '../sqlite-file.ts';
import { bytesText, quoteWord } from '../words.ts';

/** What a home is besides its databases, tokens and logs: tokens are made anew, logs may be large. */
const smallFiles = ['agent.id', 'remote-agents.json', 'config.json'] as const;

interface Copied {
  /** As it is called in a home. */
  name: string;
  path: string;
  bytes: number;
}

export function defineBackup(command: Command, invocation: Invocation): void {
  command
    .argument('<file>', 'where to; a directory takes every file under its own name')
    .option('--force', 'write over files that are there')
    .action((file: string, options: { force?: boolean }) => backUp(invocation, file, options.force === true));
  addManual(command, {
    guarantees: [
      'Copies the agent’s journal to FILE, and beside it, by FILE’s name, web’s store (FILE without .db, then .web.db), the agent’s id, and the files config.json and remote-agents.json where there are any. The services may run: each copy is of one moment, and on the disk before it has its name. In a home of web alone FILE is its store.',
      'Not copied are the logs of tasks (runs/) and the tokens of this home, which are made anew. A copy takes a new epoch when it is first opened, by which web notices that it is another journal, and reads it from the start. How to put it back is said when it is made.',
    ],
    exits: {
      ok: 'every file is copied, whole and on the disk',
      failed: 'the backup is not complete; it says why',
    },
    examples: ['holdfast backup nightly.db', 'holdfast backup --force /mnt/backups/holdfast/'],
  });
}

async function backUp(invocation: Invocation, file: string, isForced: boolean): Promise<void> {
  const { home, io } = invocation;
  const target = resolve(io.cwd, file);
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  if (file.endsWith('/') && !isFolder)
    throw new CliError(`there is no directory ${target}`, {
      hint: `Make it with: mkdir -m 700 ${quoteWord(target)}`,
    });
  const databases = [storeFile, journalFile].filter(({ name }) => existsSync(join(home, name)));
  if (databases.length === 0) {
    throw new CliError(`there is nothing to back up in ${home}`, {
      hint: 'If Holdfast runs with another home, set HOLDFAST_HOME or give --home.',
    });
  }
  const others = smallFiles.filter((name) => existsSync(join(home, name)));
  // The journal, or in a home of web alone its store.
  const main = databases.at(-1)!.name;
  const pathOf = (name: string): string => {
    if (isFolder) return join(target, name);
    // `b.db` and `web.db` make `b.web.db`.
    return name === main ? target : `${target.replace(/\.db$/, '')}.${name}`;
  };
  refuseTargets({
    home: resolve(home),
    paths: [...databases.map(({ name }) => name), ...others].map(pathOf),
    isForced,
  });
  const copied: Copied[] = [];
  try {
    for (const database of databases) {
      const path = pathOf(database.name);
      if (io.stderr.isTTY === true) invocation.say(`Copying ${database.name} …`);
      copyDatabase(join(home, database.name), path, database);
      copied.push({ name: database.name, path, bytes: statSync(path).size });
    }
    for (const name of others) {
      const path = pathOf(name);
      copyFile(join(home, name), path);
      copied.push({ name, path, bytes: statSync(path).size });
    }
  } catch (error) {
    if (codeOf(error) === '') throw error;
    throw new CliError(`the backup is not complete: ${textOf(error)}`, {
      hint: 'See that there is space, and that the directory exists and may be written to. Check the home with: holdfast doctor',
      cause: error,
    });
  }
  if (invocation.isJson) return invocation.printJson({ home, files: copied });
  await invocation.print(copied.map(({ path, bytes }) => `${path}  ${bytesText(bytes)}`).join('\n'));
  invocation.say(restoreText(home, copied));
}

/** Throws for what must not be written over. */
function refuseTargets({
  home,
  paths,
  isForced,
}: {
  home: string;
  paths: string[];
  isForced: boolean;
}): void {
  const own = new Set<string>(
    [journalFile.name, storeFile.name, ...smallFiles].map((name) => join(home, name)),
  );
  if (paths.some((path) => own.has(path)))
    throw new CliError('a home cannot be its own backup', { hint: 'Name another file or directory.' });
  // SQLite would take the log for the copy's, and break it.
  const inUse = paths.find((path) => existsSync(`${path}-wal`) || existsSync(`${path}-journal`));
  if (inUse !== undefined)
    throw new CliError(`${inUse} is in use, or was left by a crash: it has a log beside it`, {
      hint: 'Name another file.',
    });
  const taken = paths.filter((path) => existsSync(path));
  if (taken.length > 0 && !isForced)
    throw new CliError(`${taken.join(', ')}: already there`, {
      hint: 'Name another file, or write over it with --force.',
    });
}

function restoreText(home: string, copied: readonly Copied[]): string {
  const isDatabase = ({ name }: Copied): boolean => name.endsWith('.db');
  const databases = copied.filter(isDatabase);
  const others = copied.filter((one) => !isDatabase(one));
  const names = databases.map(({ name }) => name).join(' and ');
  const lines = [
    `To put it back: stop the services, move ${names} of ${quoteWord(home)} aside, with the -wal and -shm beside them; then`,
    ...databases.map(({ name, path }) => `  cp ${quoteWord(path)} ${quoteWord(join(home, name))}`),
    'and start the services.',
  ];
  if (others.length > 0) {
    const named = others.map(({ name, path }) => `${quoteWord(path)} as ${name}`).join(', ');
    lines.push(`A new home on another machine (mkdir -m 700) needs these too: ${named}.`);
  }
  return lines.join('\n');
}
