/** The version of this program, without loading what the services need to know theirs: all packages share one. */
import { readFileSync } from 'node:fs';
import { parseObject } from './json.ts';

const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
export const VERSION = String(parseObject(text)?.version);
