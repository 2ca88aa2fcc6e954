/**
 * Drives a `map`: takes items from the source as there is room, puts them into batches, keeps so many batches under way,
 * and gives the results out. It knows nothing of tasks: starting a batch is the caller's.
 *
 * What is taken from the source and not yet given out is at most `concurrency` batches, so the memory is bounded however
 * long the source is and however slow its consumer.
 */
import { Deque } from "../base/deque.ts";
import { BatchSizePolicy } from "./batch-size-policy.ts";
import type { BatchResult } from "./map-batch.ts";
import type { AnyIterator, MapLoopDependencies, MapLoopOptions, RunningBatch, Settled } from "./map-loop-options.ts";

/** Items that travel together, and then their results. */
interface Batch {
  /** Counts the batches in the order of their items. */
  readonly index: number;
  readonly items: readonly unknown[];
  running: RunningBatch | undefined;
  /** Of each item; fewer where an error ends the map: it is the last. */
  outcomes: readonly Settled<unknown>[] | undefined;
  given: number;
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(reason: unknown): void;
}

export class MapLoop implements AsyncIterableIterator<unknown> {
  readonly #source: () => AnyIterator;
  readonly #deps: MapLoopDependencies;
  readonly #options: MapLoopOptions;
  readonly #size: BatchSizePolicy;
  #iterator: AnyIterator | undefined;
  /** Taken, and not yet in a batch. */
  #gathered: unknown[] = [];
  /** Items that were taken and whose results were not given out. */
  #ahead = 0;
  /** Ordered: all batches that are not given out. Otherwise: those that are ready. */
  readonly #queue = new Deque<Batch>();
  readonly #running = new Set<Batch>();
  readonly #waiters = new Deque<Waiter>();
  #batches = 0;
  #isPulling = false;
  #isFlushing = false;
  #isExhausted = false;
  #failure: { readonly reason: unknown } | undefined;
  /** The source's own error: it comes after the results of all that was taken before. */
  #sourceFailure: { readonly reason: unknown } | undefined;
  #isOver = false;

  constructor(source: () => AnyIterator, deps: MapLoopDependencies, options: MapLoopOptions) {
    this.#source = source;
    this.#deps = deps;
    this.#options = options;
    this.#size = new BatchSizePolicy(options.batchMs, options.maxBatch);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#advance();
    });
  }

  /** `break` comes here: what is under way is cancelled, and the source is told. */
  async return(): Promise<IteratorResult<unknown>> {
    await this.#end();
    this.#serve();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  // -- taking items

  #advance(): void {
    if (!this.#isOver) this.#open();
    // What is given out makes room.
    this.#serve();
    this.#pull();
    // The source may have turned out to be empty, or to fail.
    this.#serve();
  }

  #open(): void {
    if (this.#iterator !== undefined) return;
    const { signal } = this.#options;
    if (signal?.aborted) {
      this.#fail(signal.reason);
      return;
    }
    try {
      this.#iterator = this.#source();
    } catch (reason) {
      this.#fail(reason);
      return;
    }
    signal?.addEventListener("abort", this.#aborted, { once: true });
  }

  readonly #aborted = (): void => {
    this.#fail(this.#options.signal?.reason);
    this.#serve();
  };

  get #hasRoom(): boolean {
    return this.#ahead < this.#options.concurrency * this.#size.items;
  }

  /** Takes from the source while there is room; waits for it at most once at a time. */
  #pull(): void {
    const iterator = this.#iterator;
    if (this.#isPulling || iterator === undefined) return;
    while (!this.#isOver && !this.#isExhausted && this.#hasRoom) {
      if (this.#gathered.length >= this.#size.items && this.#running.size >= this.#options.concurrency) break;
      let step: IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
      try {
        step = iterator.next();
      } catch (reason) {
        this.#sourceFailed(reason);
        break;
      }
      if (isPromise(step)) {
        this.#isPulling = true;
        step.then(this.#pulled, this.#pullFailed);
        // What was gathered does not wait for an item that may be long in coming, but for the rest of this turn.
        this.#flushSoon();
        return;
      }
      this.#take(step);
    }
    this.#flush();
  }

  readonly #pulled = (step: IteratorResult<unknown>): void => {
    this.#isPulling = false;
    if (this.#isOver || this.#isExhausted) return;
    this.#take(step);
    this.#pull();
    this.#serve();
  };

  readonly #pullFailed = (reason: unknown): void => {
    this.#isPulling = false;
    // It was told to return: its error is nobody's any more.
    if (this.#isExhausted) return;
    this.#sourceFailed(reason);
    this.#pull();
    this.#serve();
  };

  #sourceFailed(reason: unknown): void {
    // It is done: it is not told to return.
    this.#isExhausted = true;
    this.#sourceFailure = { reason };
  }

  #take(step: IteratorResult<unknown>): void {
    if (typeof step !== "object" || step === null) {
      this.#sourceFailed(new TypeError(`The iterator's next() gave ${String(step)}, which is no object`));
      return;
    }
    if (step.done === true) {
      this.#isExhausted = true;
      return;
    }
    this.#ahead++;
    this.#gathered.push(step.value);
    if (this.#gathered.length >= this.#size.items) this.#start();
  }

  // -- batches

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#deps.clock.soon(() => {
      this.#isFlushing = false;
      if (this.#isPulling || this.#isStarved) this.#startPartial();
      this.#serve();
    });
  }

  /** Starts what is gathered when it is not going to become more. */
  #flush(): void {
    if (this.#isExhausted) this.#startPartial();
    // The consumer may take what is ready in this turn, and so make room for more.
    else if (this.#isStarved) this.#flushSoon();
  }

  /** Nothing runs, and nothing more can be gathered. */
  get #isStarved(): boolean {
    return this.#gathered.length > 0 && !this.#hasRoom && this.#running.size === 0;
  }

  #startPartial(): void {
    while (this.#gathered.length > 0 && this.#start());
  }

  /** Starts one batch of what is gathered, if one more may be under way. */
  #start(): boolean {
    if (this.#isOver || this.#running.size >= this.#options.concurrency) return false;
    const items = this.#gathered.splice(0, this.#size.items);
    const batch: Batch = { index: this.#batches++, items, running: undefined, outcomes: undefined, given: 0 };
    if (this.#options.ordered) this.#queue.push(batch);
    this.#run(batch);
    return true;
  }

  #run(batch: Batch): void {
    const { clock } = this.#deps;
    const startMs = clock.nowMs();
    this.#running.add(batch);
    try {
      batch.running = this.#deps.start(batch.items);
    } catch (reason) {
      this.#running.delete(batch);
      this.#fail(reason);
      return;
    }
    const encodeMs = clock.nowMs() - startMs;
    batch.running.result.then(
      (result) => this.#batchEnded(batch, result, encodeMs),
      (reason: unknown) => this.#batchFailed(batch, reason),
    );
  }

  #batchEnded(batch: Batch, { values, errors, durationMs }: BatchResult, encodeMs: number): void {
    if (!this.#running.delete(batch)) return;
    this.#size.measured(batch.items.length, durationMs + encodeMs);
    const outcomes: Settled<unknown>[] = values.map((value) => ({ status: "fulfilled", value }));
    for (const { index, reason } of errors) outcomes[index] = { status: "rejected", reason };
    if (errors[0] === undefined || this.#options.collects) this.#settle(batch, outcomes);
    else this.#endAt(batch, outcomes);
  }

  /** Nothing that comes after the error is wanted any more; in order, what comes before it still is. */
  #endAt(batch: Batch, outcomes: readonly Settled<unknown>[]): void {
    for (const other of [...this.#running]) {
      if (this.#options.ordered && other.index < batch.index) continue;
      this.#running.delete(other);
      other.running?.cancel();
    }
    void this.#closeSource();
    this.#settle(batch, outcomes);
  }

  #batchFailed(batch: Batch, reason: unknown): void {
    if (!this.#running.delete(batch)) return;
    if (!this.#options.collects) {
      this.#endAt(batch, [{ status: "rejected", reason }]);
      return;
    }
    if (batch.items.length > 1 && this.#options.mayRerun) {
      this.#split(batch);
      return;
    }
    this.#settle(
      batch,
      batch.items.map(() => ({ status: "rejected", reason })),
    );
  }

  /** One item brought down the others: each is run alone, one after another, so that only the culprit fails. */
  #split(batch: Batch): void {
    const outcomes: Settled<unknown>[] = [];
    const runNext = (): void => {
      if (this.#isOver) return;
      if (outcomes.length === batch.items.length) {
        this.#running.delete(batch);
        this.#settle(batch, outcomes);
        return;
      }
      const ended = (outcome: Settled<unknown>): void => {
        outcomes.push(outcome);
        runNext();
      };
      try {
        batch.running = this.#deps.start([batch.items[outcomes.length]]);
      } catch (reason) {
        this.#running.delete(batch);
        this.#fail(reason);
        this.#serve();
        return;
      }
      batch.running.result.then(
        ({ values, errors }) =>
          ended(errors[0] === undefined ? { status: "fulfilled", value: values[0] } : { status: "rejected", reason: errors[0].reason }),
        (reason: unknown) => ended({ status: "rejected", reason }),
      );
    };
    this.#running.add(batch);
    runNext();
  }

  #settle(batch: Batch, outcomes: readonly Settled<unknown>[]): void {
    batch.outcomes = outcomes;
    batch.running = undefined;
    if (!this.#options.ordered) this.#queue.push(batch);
    if (this.#gathered.length >= this.#size.items) this.#start();
    if (this.#isPulling) this.#flushSoon();
    this.#advance();
  }

  // -- giving results

  #serve(): void {
    while (this.#waiters.length > 0) {
      const batch = this.#queue.peek();
      const outcome = batch?.outcomes?.[batch.given];
      if (batch !== undefined && outcome !== undefined) {
        this.#give(batch, outcome);
        continue;
      }
      if (this.#sourceFailure !== undefined && this.#isDone) this.#fail(this.#sourceFailure.reason);
      if (this.#failure !== undefined) {
        const { reason } = this.#failure;
        this.#failure = undefined;
        this.#waiters.shift()?.reject(reason);
        continue;
      }
      if (!this.#isOver && !this.#isDone) return;
      if (!this.#isOver) void this.#end();
      this.#waiters.shift()?.resolve({ done: true, value: undefined });
    }
  }

  get #isDone(): boolean {
    return this.#isExhausted && this.#gathered.length === 0 && this.#running.size === 0 && this.#queue.length === 0;
  }

  #give(batch: Batch, outcome: Settled<unknown>): void {
    batch.given++;
    this.#ahead--;
    if (batch.given === batch.items.length) this.#queue.shift();
    const waiter = this.#waiters.shift();
    if (this.#options.collects) waiter?.resolve({ done: false, value: outcome });
    else if (outcome.status === "fulfilled") waiter?.resolve({ done: false, value: outcome.value });
    else {
      waiter?.reject(outcome.reason);
      void this.#end();
    }
  }

  // -- the end

  /** What is ready is given out, then the reason; nothing else. */
  #fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#failure = { reason };
    void this.#stop();
  }

  async #end(): Promise<void> {
    this.#failure = undefined;
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift());
    await this.#stop();
  }

  /** Cancels what is under way and tells the source. */
  async #stop(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    const running = [...this.#running];
    this.#running.clear();
    for (const batch of running) batch.running?.cancel();
    await this.#closeSource();
  }

  /** An error of the source's own clean-up is nobody's any more. */
  async #closeSource(): Promise<void> {
    this.#gathered = [];
    const iterator = this.#iterator;
    const isClosed = this.#isExhausted;
    this.#isExhausted = true;
    if (iterator === undefined || isClosed || iterator.return === undefined) return;
    try {
      const closing = iterator.return();
      // A generator that waits for its next item closes when that comes, which may be never.
      if (!this.#isPulling) await closing;
      else if (isPromise(closing)) closing.catch(() => {});
    } catch {
      // The consumer has what it wanted, or an error that came first.
    }
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value;
}
