/** Keeps this process from ending while somebody needs it to go on: timers and streams in memory would not. */
import type { Transport } from "../wire/transport.ts";

/** Longer than any process lives; `setInterval` takes no more. */
const FOREVER_MS = 2 ** 31 - 1;

export class KeepAlive {
  readonly #reasons = new Set<unknown>();
  #handle: NodeJS.Timeout | undefined;

  set(reason: unknown, isNeeded: boolean): void {
    if (isNeeded) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    if (this.#reasons.size > 0) {
      this.#handle ??= setInterval(() => {}, FOREVER_MS);
    } else if (this.#handle !== undefined) {
      clearInterval(this.#handle);
      this.#handle = undefined;
    }
  }

  /** For as long as the promise is open. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.set(promise, true);
    try {
      return await promise;
    } finally {
      this.set(promise, false);
    }
  }

  /** Streams that it dials keep this process alive when they are told to. */
  over(transport: Transport): Transport {
    return {
      listen: (address, onStream) => transport.listen(address, onStream),
      dial: async (address) => {
        const stream = await transport.dial(address);
        return {
          write: (bytes) => stream.write(bytes),
          get bufferedBytes() {
            return stream.bufferedBytes;
          },
          keepAlive: (isNeeded) => this.set(stream, isNeeded),
          close: () => stream.close(),
          start: (events) =>
            stream.start({
              data: (bytes) => events.data(bytes),
              closed: (reason) => {
                this.set(stream, false);
                events.closed(reason);
              },
            }),
        };
      },
    };
  }
}
