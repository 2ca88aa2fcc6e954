/**
 * A fixed set of actors that share work: each value goes to an actor that is free, and waits while none is. Results come in
 * the order of the values, or as they are ready.
 */
import { type Clock, realClock } from "../base/clock.ts";
import { Deque } from "../base/deque.ts";
import { RaiaError } from "../base/errors.ts";
import { ObjectRef } from "../worker/objects/object-ref.ts";
import { checkWaitOptions, type GetOptions } from "../worker/objects/wait-options.ts";
import { isActorHandle, recordOf } from "./actor-class.ts";
import { refuseOptions } from "./call-options.ts";
import { MAX_POOL_PENDING } from "./limits.ts";
import { wait } from "./objects.ts";

/** Calls an actor with a value: `(actor, value) => actor.double.remote(value)`. */
export type PoolCall<A, V, R> = (actor: A, value: V) => ObjectRef<R>;

/** What the pool asks of the engine; another in tests. */
export interface PoolDependencies {
  readonly clock: Clock;
  /** Resolves when the ref is settled, whether it holds a value or an error. */
  settled(ref: ObjectRef): Promise<unknown>;
  /** What a call gave, which is a ref or the caller's mistake. */
  checked<R>(ref: ObjectRef<R>): ObjectRef<R>;
  /** Whether an actor is dead for good, as far as is known here. */
  isDead(actor: object): boolean;
}

const engine: PoolDependencies = { clock: realClock, settled: (ref) => wait([ref]), checked: checkedRef, isDead };

interface Work<A, R> {
  readonly call: (actor: A) => ObjectRef<R>;
  /** Present once an actor has the value. */
  ref: ObjectRef<R> | undefined;
  /** Present when the call could not even be made. */
  refusal: { readonly reason: unknown } | undefined;
  isDone: boolean;
  /** Nobody wants its result: it is not started any more. */
  isDropped: boolean;
}

/**
 * @typeParam A handles of actors
 * @typeParam R what calls that are submitted give; `map` tells by itself what its call gives
 */
export class ActorPool<A extends object, R = unknown> {
  readonly #deps: PoolDependencies;
  readonly #idle = new Deque<A>();
  readonly #members = new Set<A>();
  /** Members that died since the last one was added. */
  #died = 0;
  /** Work that waits for an actor. */
  readonly #pending = new Deque<Work<A, R>>();
  /** What `submit` was given and nobody took, in that order. */
  readonly #submitted = new Set<Work<A, R>>();
  /** Look whether what they wait for is done, each time that something is. */
  readonly #waiters = new Set<() => void>();

  /** @throws {RaiaError} INVALID_ARGUMENT for what is no handle, or stands twice; INVALID_OPTION, since a pool has no options */
  constructor(actors: Iterable<A>, deps: PoolDependencies = engine) {
    if (deps !== engine && !("settled" in deps)) refuseOptions("ActorPool", deps);
    if (typeof actors !== "object" || actors === null || !(Symbol.iterator in actors))
      throw invalid("constructor", "it takes an array of actors");
    this.#deps = deps;
    for (const actor of actors) this.push(actor);
  }

  /**
   * The results of `call` for each value, in the order of the values. Values are taken one ahead of the actors, so a source
   * without end is fine. An error ends it: what is under way goes on, what has not begun does not begin.
   */
  map<V, T extends R>(call: PoolCall<A, V, T>, values: Iterable<V> | AsyncIterable<V>): AsyncGenerator<T, void, undefined> {
    refuseOptions("ActorPool.map", arguments[2]);
    return this.#map(checkedCall("map", call), checkedValues("map", values), true);
  }

  /** The same, as the results are ready. */
  mapUnordered<V, T extends R>(call: PoolCall<A, V, T>, values: Iterable<V> | AsyncIterable<V>): AsyncGenerator<T, void, undefined> {
    refuseOptions("ActorPool.mapUnordered", arguments[2]);
    return this.#map(checkedCall("mapUnordered", call), checkedValues("mapUnordered", values), false);
  }

  async *#map<V, T extends R>(
    call: PoolCall<A, V, T>,
    values: Iterable<V> | AsyncIterable<V>,
    ordered: boolean,
  ): AsyncGenerator<T, void, undefined> {
    const mine: Work<A, T>[] = [];
    const take = (): Work<A, T> | undefined => {
      const index = ordered ? (mine[0]?.isDone ? 0 : -1) : mine.findIndex(({ isDone }) => isDone);
      return index < 0 ? undefined : mine.splice(index, 1)[0];
    };
    try {
      for await (const value of values) {
        mine.push(this.#add((actor) => call(actor, value)));
        while (mine.length > this.#members.size) yield await resultOf(await this.#whenTaken(take, {}));
      }
      while (mine.length > 0) yield await resultOf(await this.#whenTaken(take, {}));
    } finally {
      for (const work of mine) work.isDropped = true;
    }
  }

  /** @throws {RaiaError} LIMIT_EXCEEDED when a million values wait already; ACTOR_DIED when no actor of the pool is left alive */
  submit<V>(call: PoolCall<A, V, R>, value: V): void {
    checkedCall("submit", call);
    refuseOptions("ActorPool.submit", arguments[2]);
    this.#submitted.add(this.#add((actor) => call(actor, value)));
  }

  /**
   * The result of the value that was submitted first of those whose results nobody took. Its type is the pool's, or one that you
   * name: `getNext<number>()`.
   *
   * @throws what the actor threw; {RaiaError} GET_TIMEOUT, and then the result can still be taken; INVALID_ARGUMENT when there is none
   */
  async getNext<T extends R = R>(options: GetOptions = {}): Promise<T> {
    checkWaitOptions("get", options);
    const [first] = this.#submitted;
    if (first === undefined) throw invalid("getNext", "there is no result left to take: ask hasNext() first");
    this.#submitted.delete(first);
    try {
      await this.#whenTaken(() => (first.isDone ? first : undefined), options);
    } catch (error) {
      const others = [...this.#submitted];
      this.#submitted.clear();
      for (const work of [first, ...others]) this.#submitted.add(work);
      throw error;
    }
    return (await resultOf(first)) as T;
  }

  /** The next result that is ready, of whatever value. @throws as `getNext` */
  async getNextUnordered<T extends R = R>(options: GetOptions = {}): Promise<T> {
    checkWaitOptions("get", options);
    if (this.#submitted.size === 0) throw invalid("getNextUnordered", "there is no result left to take: ask hasNext() first");
    const taken = await this.#whenTaken(() => {
      for (const work of this.#submitted) if (work.isDone && this.#submitted.delete(work)) return work;
      return undefined;
    }, options);
    return (await resultOf(taken)) as T;
  }

  /** Whether there is a result to take, now or later. */
  hasNext(): boolean {
    return this.#submitted.size > 0;
  }

  /** Whether an actor is free. */
  hasFree(): boolean {
    return this.#idle.length > 0;
  }

  /** Takes an actor that is free out of the pool; `undefined` when there is none. */
  popIdle(): A | undefined {
    const actor = this.#idle.shift();
    if (actor !== undefined) this.#members.delete(actor);
    return actor;
  }

  /** Adds an actor. @throws {RaiaError} INVALID_ARGUMENT when it is no handle, or in the pool already */
  push(actor: A): void {
    if (typeof actor !== "object" || actor === null) throw invalid("push", "it takes the handle of an actor");
    if (this.#members.has(actor)) throw invalid("push", "the actor is in the pool already");
    this.#members.add(actor);
    this.#died = 0;
    this.#idle.push(actor);
    this.#dispatch();
  }

  #add<T extends R>(call: (actor: A) => ObjectRef<T>): Work<A, T> {
    if (this.#pending.length >= MAX_POOL_PENDING) {
      throw new RaiaError("LIMIT_EXCEEDED", { limit: "values that wait in an ActorPool", max: MAX_POOL_PENDING });
    }
    if (this.#isExtinct) throw this.#extinction();
    const work: Work<A, T> = { call, ref: undefined, refusal: undefined, isDone: false, isDropped: false };
    this.#pending.push(work);
    this.#dispatch();
    return work;
  }

  #dispatch(): void {
    while (this.#idle.length > 0 && this.#pending.length > 0) {
      const actor = this.#idle.shift() as A;
      if (this.#deps.isDead(actor)) {
        this.#bury(actor);
        continue;
      }
      const work = this.#pending.shift() as Work<A, R>;
      if (work.isDropped) {
        this.#idle.unshift(actor);
        continue;
      }
      try {
        work.ref = this.#deps.checked(work.call(actor));
      } catch (reason) {
        work.refusal = { reason };
        this.#idle.push(actor);
        this.#done(work);
        continue;
      }
      const ended = (): void => {
        // The dead would be free at once for ever, and fail all that there is to do.
        if (!this.#deps.isDead(actor)) this.#idle.push(actor);
        else this.#bury(actor);
        this.#done(work);
        this.#dispatch();
      };
      this.#deps.settled(work.ref).then(ended, ended);
    }
  }

  /** A member is dead and leaves. With the last one, what waits has nobody to do it. */
  #bury(actor: A): void {
    this.#members.delete(actor);
    this.#died++;
    if (!this.#isExtinct) return;
    for (let work = this.#pending.shift(); work !== undefined; work = this.#pending.shift()) {
      work.refusal = { reason: this.#extinction() };
      this.#done(work);
    }
  }

  get #isExtinct(): boolean {
    return this.#members.size === 0 && this.#died > 0;
  }

  #extinction(): RaiaError {
    return new RaiaError("ACTOR_DIED", { pool: "ActorPool", died: this.#died, reason: "no actor of the pool is alive: push() another" });
  }

  #done(work: Work<A, R>): void {
    work.isDone = true;
    for (const look of [...this.#waiters]) look();
  }

  /** Waits until `take` takes something. It is asked each time that some work is done, one waiter after another. */
  #whenTaken<W>(take: () => W | undefined, { timeoutMs, signal }: GetOptions): Promise<W> {
    return new Promise((resolve, reject) => {
      const taken = take();
      if (taken !== undefined) return resolve(taken);
      if (signal?.aborted) return reject(signal.reason as Error);
      if (this.#members.size === 0) return reject(invalid("get", "the pool has no actors: push() one first"));
      const look = (): void => {
        const found = take();
        if (found === undefined) return;
        leave();
        resolve(found);
      };
      const aborted = (): void => {
        leave();
        reject(signal?.reason as Error);
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : this.#deps.clock.after(timeoutMs, () => {
              leave();
              reject(new RaiaError("GET_TIMEOUT", { of: "a result of an ActorPool", timeoutMs }));
            });
      const leave = (): void => {
        this.#waiters.delete(look);
        timer?.cancel();
        signal?.removeEventListener("abort", aborted);
      };
      this.#waiters.add(look);
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}

function isDead(actor: object): boolean {
  return isActorHandle(actor) && recordOf(actor).client.view?.state === "dead";
}

function resultOf<A, R>({ ref, refusal }: Work<A, R>): Promise<R> {
  if (refusal !== undefined) return Promise.reject(refusal.reason);
  return (ref as ObjectRef<R>).get();
}

function checkedCall<C>(method: string, call: C): C {
  if (typeof call !== "function") throw invalid(method, "it takes a function of an actor and a value");
  return call;
}

function checkedValues<V extends object>(method: string, values: V): V {
  const isIterable = typeof values === "string" || Symbol.iterator in Object(values) || Symbol.asyncIterator in Object(values);
  if (!isIterable) throw invalid(method, "it takes an iterable of values");
  return values;
}

function checkedRef<R>(ref: ObjectRef<R>): ObjectRef<R> {
  if (!ObjectRef.isRef(ref)) throw invalid("call", "the function must give a ref: (actor, value) => actor.method.remote(value)");
  return ref;
}

function invalid(call: string, reason: string): RaiaError {
  return new RaiaError("INVALID_ARGUMENT", { call: `ActorPool.${call}`, reason });
}
