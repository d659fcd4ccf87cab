/**
 * A TCP proxy that misbehaves like a network: it cuts connections at byte offsets, freezes them half-open, or
 * refuses them. What crosses it is not looked at.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; upstream: Socket }>();
  readonly #target: { port: number };
  /** Bytes from upstream after which the next connection is cut; undefined: never. */
  #nextCut: (() => number | undefined) | undefined;
  #frozen = false;
  #refusing = false;
  cuts = 0;
  url = '';

  private constructor(targetPort: number) {
    this.#target = { port: targetPort };
    this.#server = createServer((client) => this.#accept(client));
  }

  static async open(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.url = `http://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`;
    return proxy;
  }

  /** From now on each connection is cut after as many bytes from upstream as `next` says. */
  cutEach(next: (() => number | undefined) | undefined): void {
    this.#nextCut = next;
  }

  /** Half-open: connections stay, nothing passes any more, new ones are accepted and stay silent. */
  freeze(): void {
    this.#frozen = true;
    for (const { client, upstream } of this.#pairs) {
      client.pause();
      upstream.pause();
    }
  }

  /** Ends a freeze: what was frozen is cut, new connections work. */
  thaw(): void {
    this.#frozen = false;
    this.cutAll();
  }

  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    if (refusing) this.cutAll();
  }

  cutAll(): void {
    for (const pair of this.#pairs) this.#cut(pair);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => client.destroy());
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const upstream = connect(this.#target.port, '127.0.0.1');
    upstream.on('error', () => client.destroy());
    const pair = { client, upstream };
    this.#pairs.add(pair);
    const done = () => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('close', done);
    upstream.on('close', done);
    if (this.#frozen) {
      client.pause();
      upstream.pause();
      return;
    }
    let left = this.#nextCut?.();
    client.on('data', (bytes: Buffer) => upstream.write(bytes));
    upstream.on('data', (bytes: Buffer) => {
      if (left === undefined || bytes.length < left) {
        if (left !== undefined) left -= bytes.length;
        client.write(bytes);
        return;
      }
      // The bytes up to the offset still arrive; the connection ends behind them.
      client.write(bytes.subarray(0, left), () => this.#cut(pair));
      upstream.pause();
      this.cuts += 1;
    });
  }

  #cut({ client, upstream }: { client: Socket; upstream: Socket }): void {
    client.resetAndDestroy();
    upstream.destroy();
  }
}
