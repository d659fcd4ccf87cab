/**
 * Icons as inline SVG. Guarantees: each status has a shape of its own (never colour alone); a running task whose
 * status nobody vouches for is hollow; an unknown one is hatched with a question mark. All are decoration beside a
 * word, hidden from assistive technology.
 */
import type { JSX } from 'preact';
import type { ShownStatus } from '@holdfast/shared/status';
import type { Certainty } from '../model/certainty.ts';

interface StatusIconProps {
  status: ShownStatus;
  certainty: Certainty['state'];
  size?: number;
}

export function StatusIcon({ status, certainty, size = 16 }: StatusIconProps): JSX.Element {
  const shape = certainty === 'unknown' ? 'unknown' : status;
  const isHollow = certainty !== 'live';
  return (
    <svg
      class={`status-icon is-${shape}${isHollow ? ' is-hollow' : ''}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      {shapes[shape](isHollow)}
    </svg>
  );
}

const line = {
  fill: 'none',
  stroke: 'currentColor',
  'stroke-width': 1.6,
  'stroke-linecap': 'round',
} as const;

const shapes: Record<ShownStatus, (isHollow: boolean) => JSX.Element> = {
  submitted: () => (
    <g {...line}>
      <path d="M8 12.5v-8M4.7 7.5 8 4.2l3.3 3.3" stroke-linejoin="round" />
      <circle cx="8" cy="8" r="7" stroke-dasharray="1.2 2.6" stroke-width="1.2" />
    </g>
  ),
  queued: () => <circle cx="8" cy="8" r="5.6" {...line} stroke-dasharray="2.2 2.2" />,
  starting: () => (
    <g {...line}>
      <circle cx="8" cy="8" r="5.6" opacity="0.35" />
      <path d="M8 2.4a5.6 5.6 0 0 1 5.6 5.6" stroke-width="2" />
    </g>
  ),
  running: (isHollow) =>
    isHollow ? (
      <path
        d="M5.2 3.4v9.2l7.4-4.6z"
        {...line}
        stroke-width="1.4"
        stroke-linejoin="round"
        stroke-dasharray="2 1.6"
      />
    ) : (
      <path
        d="M4.6 2.9v10.2c0 .5.5.8 1 .5l8-5.1c.4-.2.4-.8 0-1l-8-5.1c-.5-.3-1 0-1 .5z"
        fill="currentColor"
      />
    ),
  completed: () => (
    <g {...line}>
      <path d="m3.4 8.4 3 3.1 6.2-7" stroke-width="2" stroke-linejoin="round" />
    </g>
  ),
  failed: () => (
    <g>
      <path d="M5.4 1.6h5.2l3.8 3.8v5.2l-3.8 3.8H5.4l-3.8-3.8V5.4z" fill="currentColor" />
      <path d="m5.7 5.7 4.6 4.6m0-4.6-4.6 4.6" {...line} class="icon-cut" stroke-width="1.7" />
    </g>
  ),
  cancelled: () => (
    <g {...line}>
      <circle cx="8" cy="8" r="5.8" />
      <path d="m4.2 11.8 7.6-7.6" />
    </g>
  ),
  unknown: () => (
    <g>
      <path d="M8 .9 15.1 8 8 15.1.9 8z" {...line} stroke-width="1.3" stroke-dasharray="2.2 1.5" />
      <path d="M6.2 6.5a1.9 1.9 0 1 1 2.9 1.7c-.7.4-1 .8-1 1.4" {...line} stroke-width="1.5" />
      <circle cx="8.1" cy="11.6" r="0.95" fill="currentColor" />
    </g>
  ),
  lost: () => (
    <g {...line}>
      <path d="M3 8a5 5 0 0 1 5-5M13 8a5 5 0 0 1-5 5" />
      <path d="m6.3 6.3 3.4 3.4m0-3.4L6.3 9.7" />
    </g>
  ),
};

type IconName =
  | 'search'
  | 'plus'
  | 'close'
  | 'sun'
  | 'moon'
  | 'auto'
  | 'help'
  | 'copy'
  | 'stop'
  | 'again'
  | 'down'
  | 'out'
  | 'back'
  | 'warn'
  | 'menu'
  | 'command'
  | 'edit'
  | 'archive';

const paths: Record<IconName, string> = {
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14',
  plus: 'M8 3v10M3 8h10',
  close: 'm4 4 8 8m0-8-8 8',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6z',
  auto: 'M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 1 1 0 11',
  help: 'M5.8 6a2.2 2.2 0 1 1 3.4 1.8c-.8.6-1.2 1-1.2 1.9M8 12.4v.1',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  stop: 'M4 4h8v8H4z',
  again: 'M12.6 6A5 5 0 1 0 13 9M13 2.8V6H9.8',
  down: 'M8 3v9M4.4 8.6 8 12.2l3.6-3.6',
  out: 'M6.5 2.5h-4v11h4M7 8h7M11.2 5.2 14 8l-2.8 2.8',
  back: 'M13 8H3M6.8 4.2 3 8l3.8 3.8',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  command: 'M3 4.5 6.5 8 3 11.5M8 12h5',
  edit: 'M10.5 3.5l2 2L6 12l-2.8.8L4 10zM9 5l2 2',
  archive: 'M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.8h3',
  warn: 'M8 2 1.6 13.4h12.8zM8 6.4v3.2M8 11.6v.1',
};

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false" class="icon">
      <path d={paths[name]} {...line} stroke-width="1.5" stroke-linejoin="round" />
    </svg>
  );
}
