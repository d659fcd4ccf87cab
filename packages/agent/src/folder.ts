/** Folders that come into being with their first entry: one that is not there is empty. */
import { readdir } from 'node:fs/promises';
import { isMissing } from './start-error.ts';

/** The names in a folder; none where there is no folder. Throws what else keeps it from being read (P10). */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
