/**
 * Streams within one process. Delivery is a later turn of the given clock, in order for each direction, so code behaves
 * as it does over sockets; the simulator passes a `delay` of its own to add latency, and may cut streams.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { ByteStream, Listener, StreamEvents, Transport } from "./transport.ts";

/** Runs `deliver` later; calls for one `link` must run in the order they were made. */
export type Deliver = (link: string, deliver: () => void) => void;

export class MemoryTransport implements Transport {
  readonly #listeners = new Map<string, (stream: ByteStream) => void>();
  readonly #deliver: Deliver;
  #links = 0;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** Delivers in the next turn, without latency. */
  static immediate(clock: Clock): MemoryTransport {
    const queue: (() => void)[] = [];
    return new MemoryTransport((_link, deliver) => {
      queue.push(deliver);
      if (queue.length === 1) {
        clock.soon(() => {
          for (const next of queue.splice(0)) next();
        });
      }
    });
  }

  async listen(address: string, onStream: (stream: ByteStream) => void): Promise<Listener> {
    if (this.#listeners.has(address)) throw new RaiaError("SESSION_DIRECTORY", { reason: "address in use", path: address });
    this.#listeners.set(address, onStream);
    return { address, keepAlive: () => {}, close: async () => void this.#listeners.delete(address) };
  }

  async dial(address: string): Promise<ByteStream> {
    const onStream = this.#listeners.get(address);
    if (onStream === undefined) throw new RaiaError("CONNECTION_LOST", { address, reason: "nobody listens" });
    const link = `${address}#${this.#links++}`;
    const near = new MemoryStream(`${link}>`, this.#deliver);
    const far = new MemoryStream(`${link}<`, this.#deliver);
    near.peer = far;
    far.peer = near;
    onStream(far);
    return near;
  }
}

class MemoryStream implements ByteStream {
  readonly #link: string;
  readonly #deliver: Deliver;
  #events: StreamEvents | undefined;
  #early: Uint8Array[] = [];
  #closed = false;
  #told = false;
  /** Why it ended before anybody listened. */
  #endedEarly: string | undefined;
  peer: MemoryStream | undefined;
  bufferedBytes = 0;

  constructor(link: string, deliver: Deliver) {
    this.#link = link;
    this.#deliver = deliver;
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.bufferedBytes += bytes.byteLength;
    this.#deliver(this.#link, () => {
      this.bufferedBytes -= bytes.byteLength;
      this.peer?.receive(bytes);
    });
  }

  keepAlive(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deliver(this.#link, () => {
      this.peer?.hangUp("closed by peer");
      this.hangUp("closed");
    });
  }

  start(events: StreamEvents): void {
    this.#events = events;
    for (const bytes of this.#early.splice(0)) events.data(bytes);
    if (this.#endedEarly !== undefined) events.closed(this.#endedEarly);
  }

  receive(bytes: Uint8Array): void {
    if (this.#told) return;
    if (this.#events === undefined) this.#early.push(bytes);
    else this.#events.data(bytes);
  }

  hangUp(reason: string): void {
    this.#closed = true;
    if (this.#told) return;
    this.#told = true;
    if (this.#events === undefined) this.#endedEarly = reason;
    else this.#events.closed(reason);
  }
}
