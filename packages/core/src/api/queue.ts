/**
 * A queue between tasks and actors, held by an actor of its own. It may be sent, and everybody who has it puts and gets at
 * the same queue, first in, first out.
 */
import { RaiaError } from "../base/errors.ts";
import { brand, type ObjectRef } from "../worker/objects/object-ref.ts";
import { kill } from "./actor-class.ts";
import { MAX_QUEUE_ITEMS, MAX_QUEUE_WAITERS } from "./limits.ts";
import { checkCallOptions } from "./call-options.ts";
import { checkRecord, type Rules, whole } from "./option-rules.ts";
import type { ActorOptions } from "./option-types.ts";
import { checkQueueActorOptions } from "./options.ts";
import { type Boxed, QueueActor } from "./queue-actor.ts";
import { remote } from "./remote.ts";
import type { ActorHandle } from "./remote-types.ts";

export interface QueueOptions {
  /** Items at most; `put` waits while it is full. 0, the default: ten million, which is more than its heap should hold. */
  readonly maxSize?: number | undefined;
  /** Of the actor that holds the items, such as `name` or `lifetime`. */
  readonly actorOptions?: Omit<ActorOptions, "methods" | "concurrencyGroups" | "maxConcurrency"> | undefined;
}

export interface QueueWaitOptions {
  /** Milliseconds after which QUEUE_FULL or QUEUE_EMPTY is thrown. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with its reason when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

export const queueRules: Rules = { maxSize: whole(0, MAX_QUEUE_ITEMS), actorOptions: checkQueueActorOptions };

export class Queue<T> {
  readonly #actor: ActorHandle<QueueActor>;
  readonly maxSize: number;

  /** Makes a queue. @throws {RaiaError} INVALID_OPTION */
  constructor(options: QueueOptions = {}) {
    checkRecord(options, "", queueRules, "a record");
    const { maxSize = 0, actorOptions } = options;
    const made = madeQueues.get(options);
    this.maxSize = maxSize;
    this.#actor = made ?? newActor(maxSize === 0 ? MAX_QUEUE_ITEMS : maxSize, actorOptions);
  }

  get [brand](): "queue" {
    return "queue";
  }

  /** The actor that holds the items. */
  get actor(): ActorHandle<QueueActor> {
    return this.#actor;
  }

  /** Adds an item, when there is room. @throws {RaiaError} QUEUE_FULL after `timeoutMs`; ACTOR_DIED after `shutdown` */
  async put(item: T, options: QueueWaitOptions = {}): Promise<void> {
    checkCallOptions("queueWait", options);
    const { timeoutMs, signal } = options;
    const isPut = await this.#call((wait) => this.#actor.put.options(wait).remote([item], timeoutMs), signal);
    if (!isPut) throw this.#full(1, timeoutMs);
  }

  /** Takes the oldest item, when there is one. @throws {RaiaError} QUEUE_EMPTY after `timeoutMs`; ACTOR_DIED after `shutdown` */
  async get(options: QueueWaitOptions = {}): Promise<T> {
    checkCallOptions("queueWait", options);
    const { timeoutMs, signal } = options;
    const box = await this.#call((wait) => this.#actor.get.options(wait).remote(timeoutMs), signal);
    if (box === undefined) throw new RaiaError("QUEUE_EMPTY", { timeoutMs });
    return box[0] as T;
  }

  /** Adds an item if there is room now. @throws {RaiaError} QUEUE_FULL */
  async putNowait(item: T): Promise<void> {
    await this.putNowaitBatch([item]);
  }

  /** Takes the oldest item if there is one now. @throws {RaiaError} QUEUE_EMPTY */
  async getNowait(): Promise<T> {
    const [item] = await this.getNowaitBatch(1);
    return item as T;
  }

  /** Adds all items in their order if there is room for all now, and otherwise none. @throws {RaiaError} QUEUE_FULL */
  async putNowaitBatch(items: readonly T[]): Promise<void> {
    if (!Array.isArray(items)) throw new RaiaError("INVALID_ARGUMENT", { call: "Queue.putNowaitBatch", expected: "an array of items" });
    const boxes = items.map((item): Boxed => [item]);
    if (!(await this.#actor.putNowait.remote(boxes).get())) throw this.#full(items.length, undefined);
  }

  /** Takes so many of the oldest items if there are as many now, and otherwise none. @throws {RaiaError} QUEUE_EMPTY */
  async getNowaitBatch(count: number): Promise<T[]> {
    whole(0, MAX_QUEUE_ITEMS)(count, "count");
    const boxes = await this.#actor.getNowait.remote(count).get();
    if (boxes === undefined) throw new RaiaError("QUEUE_EMPTY", { wanted: count });
    return boxes.map(([item]) => item as T);
  }

  async size(): Promise<number> {
    return await this.#actor.size.remote().get();
  }

  async empty(): Promise<boolean> {
    return (await this.size()) === 0;
  }

  async full(): Promise<boolean> {
    return this.maxSize > 0 && (await this.size()) >= this.maxSize;
  }

  /** Ends the queue at once, for all who have it; its items are lost, and who waits gets ACTOR_DIED. */
  async shutdown(): Promise<void> {
    await kill(this.#actor);
  }

  /** Waits for a call at one of the ends; an abort cancels it, so that it takes no item that nobody would get. */
  async #call<R>(call: (wait: { signal?: AbortSignal }) => ObjectRef<R>, signal: AbortSignal | undefined): Promise<R> {
    signal?.throwIfAborted();
    if (signal === undefined) return await call({}).get();
    try {
      return await call({ signal }).get();
    } catch (error) {
      // Who waits knows of the signal, and nothing of a call that it cancelled.
      if (signal.aborted && RaiaError.is(error, "TASK_CANCELLED")) throw signal.reason;
      throw error;
    }
  }

  #full(wanted: number, timeoutMs: number | undefined): RaiaError {
    return new RaiaError("QUEUE_FULL", { maxSize: this.maxSize === 0 ? MAX_QUEUE_ITEMS : this.maxSize, wanted, timeoutMs });
  }
}

function newActor(maxSize: number, options: QueueOptions["actorOptions"]): ActorHandle<QueueActor> {
  return remote(QueueActor, {
    // It computes next to nothing: it should not wait for a CPU that the tasks hold which are to fill it.
    numCpus: 0,
    ...options,
    concurrencyGroups: { readers: MAX_QUEUE_WAITERS, writers: MAX_QUEUE_WAITERS },
    methods: { get: { concurrencyGroup: "readers" }, put: { concurrencyGroup: "writers" } },
  }).remote(maxSize);
}

// -- as a value

/** What travels. */
export interface MadeQueue {
  readonly actor: ActorHandle<QueueActor>;
  readonly maxSize: number;
}

/** Options that stand for a queue which is there already: only its codec makes them. */
const madeQueues = new WeakMap<object, ActorHandle<QueueActor>>();

/** A queue over an actor that somebody else made. */
export function queueOf({ actor, maxSize }: MadeQueue): Queue<unknown> {
  const options: QueueOptions = { maxSize };
  madeQueues.set(options, actor);
  return new Queue(options);
}
