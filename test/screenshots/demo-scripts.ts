/** What the tasks of the demo run: small shell programs that print what such work prints, in the pace of such work. */

const ESC = String.raw`\033`;
const bold = (text: string): string => `${ESC}[1m${text}${ESC}[0m`;
const dim = (text: string): string => `${ESC}[2m${text}${ESC}[0m`;
const red = (text: string): string => `${ESC}[31m${text}${ESC}[0m`;
const green = (text: string): string => `${ESC}[32m${text}${ESC}[0m`;
const yellow = (text: string): string => `${ESC}[33m${text}${ESC}[0m`;
const cyan = (text: string): string => `${ESC}[36m${text}${ESC}[0m`;

/** A shell program that prints each line; a number is a pause in seconds. */
function play(parts: readonly (string | number)[], exitCode: number): string {
  const words = parts.map((part) =>
    typeof part === 'number' ? `sleep ${part}` : `printf '${part.replaceAll('%', '%%')}\\n'`,
  );
  return `#!/bin/sh\n${words.join('\n')}\nexit ${exitCode}\n`;
}

/** Holds the end of a task back until the demo is over. */
const UNTIL_THE_END = 900;

/** A coding agent: the prompt is $1. */
const coder = play(
  [
    `${bold('coder')} ${dim('session 4f1c, 3 files in context')}`,
    '',
    `${cyan('read')}   test/checkout.test.ts ${dim('(214 lines)')}`,
    `${cyan('read')}   src/cart/debounce.ts ${dim('(38 lines)')}`,
    0.4,
    'The test waits 50 ms for a debounce of 100 ms: it passes only on a slow machine.',
    'The clock should be injected instead of being waited for.',
    '',
    0.3,
    `${cyan('edit')}   src/cart/debounce.ts`,
    `  ${red('-  setTimeout(flush, 100);')}`,
    `  ${green('+  clock.after(100, flush);')}`,
    `${cyan('edit')}   test/checkout.test.ts`,
    `  ${red('-  await sleep(50);')}`,
    `  ${green('+  clock.advance(100);')}`,
    '',
    0.3,
    `${cyan('run')}    npm test -- checkout ${dim('--repeat 50')}`,
    `  ${green('✓')} adds an item once when the button is pressed twice ${dim('(50 of 50)')}`,
    `  ${green('✓')} keeps the cart over a reload ${dim('(50 of 50)')}`,
    `  ${green('✓')} shows the price of the chosen size ${dim('(50 of 50)')}`,
    `  ${yellow('•')} applies a voucher after the last change ${dim('(31 of 50)')}`,
    UNTIL_THE_END,
  ],
  0,
);

/** A build with errors; it takes longer than its agent stays alive. */
const build = play(
  [
    `${dim('$')} tsc --build --pretty`,
    ...['packages/money', 'packages/cart', 'packages/checkout'].flatMap((name) => [
      `${dim('[build]')} ${name} ${green('up to date')}`,
      0.3,
    ]),
    `${dim('[build]')} packages/storefront`,
    10,
    '',
    `${cyan('src/price-label.tsx')}:${yellow('42')}:${yellow('17')} - ${red('error')} ${dim('TS2345:')} Argument of type "number" is not assignable to "Money".`,
    '',
    `${ESC}[7m42${ESC}[0m   return format(item.price * item.count);`,
    `${ESC}[7m  ${ESC}[0m                 ${red('~~~~~~~~~~~~~~~~~~~~~~~')}`,
    '',
    `${cyan('src/cart-page.tsx')}:${yellow('118')}:${yellow('9')} - ${red('error')} ${dim('TS2741:')} Property "currency" is missing in type "Total".`,
    '',
    `${ESC}[7m118${ESC}[0m   <PriceLabel total={total} />`,
    `${ESC}[7m   ${ESC}[0m    ${red('~~~~~~~~~~')}`,
    '',
    bold('Found 2 errors in 2 files.'),
  ],
  2,
);

const endToEnd = play(
  [
    'Running 212 tests with 4 workers',
    ...['sign-up', 'sign-in', 'search', 'product page', 'cart', 'voucher'].flatMap((name) => [
      `  ${green('✓')} ${name}`,
      0.2,
    ]),
    `  ${yellow('•')} checkout, with a card that needs a second factor`,
    UNTIL_THE_END,
  ],
  0,
);

const loadTest = play(['warming up: 50 requests/s', 0.5, '1,200 requests/s, p99 38 ms', UNTIL_THE_END], 0);

export const demoScripts: Readonly<Record<string, string>> = {
  coder,
  'build.sh': build,
  'end-to-end.sh': endToEnd,
  'load-test.sh': loadTest,
};
