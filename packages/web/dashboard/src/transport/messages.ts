/** What the holder of the stream and the tabs say to each other. Plain data: it crosses a MessagePort. */
import type { FeedChange, FeedHeartbeat, FeedHello } from '@holdfast/shared';
import type { LinkFacts } from '../model/link.ts';

export type FeedMessage =
  /** The link has changed. */
  | { kind: 'link'; link: LinkFacts }
  | { kind: 'hello'; hello: FeedHello }
  /** What was read before is void: read everything again. Every frame after `cursor` will be delivered. */
  | { kind: 'reset'; cursor: string }
  | { kind: 'change'; change: FeedChange; cursor: string }
  | { kind: 'heartbeat'; heartbeat: FeedHeartbeat };

export type TabMessage =
  /** The tab is looked at, or the network is back: check the connection now. */
  | { kind: 'verify' }
  /** Do not wait for the next attempt: a person asked, or signed in. */
  | { kind: 'retry' }
  /** The session ended by this browser's own doing. */
  | { kind: 'signedOut' }
  | { kind: 'leave' };
