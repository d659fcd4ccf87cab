/**
 * The SharedWorker: one stream for all tabs of this browser (HTTP/1.1 allows six connections to a host; a stream a
 * tab would hang the seventh). Guarantees: a tab that joins is told to read, and is sent every frame from then on.
 */
// oxlint-disable unicorn/require-post-message-target-origin -- a MessagePort has no origin to name.
import { startFeedStream } from './feed-stream.ts';
import type { FeedMessage, TabMessage } from './messages.ts';

const tabs = new Set<MessagePort>();

const stream = startFeedStream({
  publish(message) {
    for (const tab of tabs) tab.postMessage(message);
  },
});

function join(tab: MessagePort): void {
  tabs.add(tab);
  const { link } = stream;
  const messages: FeedMessage[] = [{ kind: 'link', link }];
  if (link.cursor !== undefined) messages.push({ kind: 'reset', cursor: link.cursor });
  for (const message of messages) tab.postMessage(message);
  tab.addEventListener('message', (event: MessageEvent<TabMessage>) => {
    switch (event.data.kind) {
      case 'verify':
        stream.verify();
        return;
      case 'retry':
        stream.retry();
        return;
      case 'signedOut':
        stream.signedOut();
        return;
      case 'leave':
        tabs.delete(tab);
        return;
      default:
        event.data satisfies never;
    }
  });
  tab.start();
}

globalThis.addEventListener('connect', (event) => {
  if (!(event instanceof MessageEvent)) return;
  for (const tab of event.ports) join(tab);
});
