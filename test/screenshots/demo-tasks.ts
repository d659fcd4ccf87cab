/** Tasks of the demo that need nothing but to be submitted: what is over, and what waits. */

export interface Submit {
  title: string;
  session: string;
  agent: 'laptop' | 'build-2';
  spec: Record<string, unknown>;
  labels?: Record<string, string>;
  queue?: string;
}

/** What is over, the oldest first. */
export const history: readonly Submit[] = [
  {
    title: 'Install and audit the dependencies',
    session: 'nightly',
    agent: 'build-2',
    spec: { shell: 'sleep 2.4; echo "412 packages, no known vulnerability"' },
    labels: { branch: 'main' },
  },
  {
    title: 'Unit tests',
    session: 'nightly',
    agent: 'build-2',
    spec: { shell: 'sleep 4.8; echo "1,204 passed"' },
    labels: { branch: 'main' },
  },
  {
    title: 'Check the licences',
    session: 'nightly',
    agent: 'build-2',
    spec: { shell: 'sleep 1.9; echo "412 packages, 9 licences, all allowed"' },
    labels: { branch: 'main' },
  },
  {
    title: 'Measure the bundle',
    session: 'nightly',
    agent: 'build-2',
    spec: { shell: 'sleep 2.7; echo "storefront: 148 kB, 2 kB less"' },
    labels: { branch: 'main' },
  },
  {
    title: 'Find what makes the search slow',
    session: 'search',
    agent: 'build-2',
    spec: { shell: 'sleep 3.6; echo "an index is missing: products(locale, name)"' },
    labels: { kind: 'agent' },
  },
  {
    title: 'Try the migration on a copy',
    session: 'search',
    agent: 'build-2',
    spec: { shell: 'sleep 2.2; echo "1,204,118 rows, 1.9 s"' },
  },
  {
    title: 'Find dead links',
    session: 'docs',
    agent: 'laptop',
    spec: { shell: 'sleep 1.7; echo "docs/payment.md: https://pay.example/v1 answers 404"; exit 1' },
  },
  {
    title: 'Explain the voucher rules in the README',
    session: 'docs',
    agent: 'laptop',
    spec: { shell: 'sleep 3.2; echo "README.md: 24 lines added"' },
    labels: { kind: 'agent' },
  },
  {
    title: 'Build the release notes',
    session: 'release-2.4',
    agent: 'laptop',
    spec: { shell: 'sleep 1.2; echo "37 changes since 2.3.1"' },
    labels: { release: '2.4' },
  },
];

export const titles: Readonly<Record<string, string>> = {
  checkout: 'Checkout',
  docs: 'Docs',
  nightly: 'Nightly run',
  'release-2.4': 'Release 2.4',
  search: 'Faster search',
};

/** What waits: both slots of the laptop are in use. */
export const waiting: readonly Submit[] = [
  {
    title: 'Rename Basket to Cart everywhere',
    session: 'checkout',
    agent: 'laptop',
    spec: { runner: 'coder', prompt: 'Rename Basket to Cart in code, tests and documents.' },
    labels: { kind: 'agent' },
  },
  {
    title: 'Review the payment adapter',
    session: 'checkout',
    agent: 'laptop',
    spec: { runner: 'coder', prompt: 'Review src/payment for errors that are swallowed.' },
    labels: { kind: 'agent' },
  },
];
