/**
 * What surrounds one of several processes that share this one: its clock, its streams, its finalizers. It can be paused,
 * continued and ended as a whole. A process that has ended hears nothing more: no timer fires, no byte arrives, no promise
 * of the runtime settles, which is as close to death as code comes that nobody can stop.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { FinalizerKind, Finalizers } from "../base/finalizers.ts";
import type { ByteStream, Listener, StreamEvents, Transport } from "../wire/transport.ts";

export interface ShellDependencies {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly finalizers: Finalizers;
}

/** One peer of a process, for whoever wants to cut it. */
export interface OpenStream {
  /** Where it was dialled, on both sides. */
  readonly address: string;
  /** This side dialled. */
  readonly isOutgoing: boolean;
  readonly stream: ByteStream;
}

export class ProcessShell {
  readonly name: string;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly finalizers: Finalizers;
  readonly #streams = new Set<OpenStream>();
  readonly #listeners = new Set<Listener>();
  /** At most what arrives while it is paused. */
  readonly #held: (() => void)[] = [];
  readonly #turns: Clock;
  #state: "running" | "paused" | "ended" = "running";

  constructor(name: string, { clock, transport, finalizers }: ShellDependencies) {
    this.name = name;
    this.#turns = clock;
    this.clock = {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, fn) => this.#after(clock, delayMs, fn),
      soon: (fn) => clock.soon(() => this.#run(fn)),
    };
    this.transport = {
      listen: async (address, onStream) => {
        if (this.isEnded) return new Promise<never>(() => {});
        const listener = await transport.listen(address, (stream) => onStream(this.#wrap(stream, address, false)));
        this.#listeners.add(listener);
        return { address: listener.address, keepAlive: (isNeeded) => listener.keepAlive(isNeeded), close: () => this.#unlisten(listener) };
      },
      dial: async (address) => {
        const stream = this.isEnded ? undefined : await transport.dial(address);
        if (stream !== undefined && !this.isEnded) return this.#wrap(stream, address, true);
        stream?.close();
        return new Promise<never>(() => {});
      },
    };
    this.finalizers = {
      watch: <Held>({ dispose }: FinalizerKind<Held>, target: object, held: Held) => finalizers.watch(this.#kindOf(dispose), target, held),
      collect: (isWhole) => finalizers.collect(isWhole),
    };
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  get streams(): Iterable<OpenStream> {
    return this.#streams;
  }

  /** What happens to it from now on waits until `resume`. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#goOn();
  }

  /** What it has written still arrives, then its peers see the end of their connections. */
  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#held.length = 0;
    for (const listener of this.#listeners) void listener.close();
    for (const { stream } of this.#streams) stream.close();
    this.#streams.clear();
  }

  #run(fn: () => void): void {
    if (this.#state === "running" && this.#held.length === 0) fn();
    else if (this.#state !== "ended") this.#held.push(fn);
  }

  /** One event a turn, as between processes: what an event sets going is done before the next. */
  #goOn(): void {
    if (this.#state !== "running" || this.#held.length === 0) return;
    this.#turns.soon(() => {
      if (this.#state !== "running") return;
      // Looked at first and taken afterwards, so that what comes meanwhile queues behind it.
      try {
        this.#held[0]?.();
      } finally {
        this.#held.shift();
        this.#goOn();
      }
    });
  }

  #after(clock: Clock, delayMs: number, fn: () => void): Timer {
    let isCancelled = false;
    const timer = clock.after(delayMs, () => this.#run(() => isCancelled || fn()));
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  async #unlisten(listener: Listener): Promise<void> {
    this.#listeners.delete(listener);
    await listener.close();
  }

  #wrap(stream: ByteStream, address: string, isOutgoing: boolean): ByteStream {
    const open: OpenStream = { address, isOutgoing, stream };
    this.#streams.add(open);
    return {
      write: (bytes) => {
        if (this.#state !== "ended") stream.write(bytes);
      },
      get bufferedBytes() {
        return stream.bufferedBytes;
      },
      keepAlive: (isNeeded) => stream.keepAlive(isNeeded),
      close: () => stream.close(),
      start: (events: StreamEvents) =>
        stream.start({
          data: (bytes) => this.#run(() => events.data(bytes)),
          closed: (reason) => {
            this.#streams.delete(open);
            this.#run(() => events.closed(reason));
          },
        }),
    };
  }

  readonly #kinds = new Map<unknown, FinalizerKind<unknown>>();

  #kindOf<Held>(dispose: (held: Held) => void): FinalizerKind<Held> {
    let kind = this.#kinds.get(dispose);
    if (kind === undefined) {
      kind = { dispose: (held) => this.#run(() => dispose(held as Held)) };
      this.#kinds.set(dispose, kind);
    }
    return kind;
  }
}
