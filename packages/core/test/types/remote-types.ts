/** Compiled, never run: what `remote` keeps of types, and what it refuses. */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import {
  type ActorHandle,
  ActorPool,
  get,
  map,
  type ObjectRef,
  type ObjectRefStream,
  put,
  type RemoteFunction,
  remote,
  type Settled,
  wait,
} from "@raia/core";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Equal<A, B>): void {}

export async function functions(): Promise<void> {
  const square = remote((x: number) => x * x);
  const ref = square.remote(2);
  same<typeof ref, ObjectRef<number>>(true);
  const value = await get(ref);
  same<typeof value, number>(true);
  square.remote(ref);
  // @ts-expect-error a string is no number
  square.remote("2");
  // @ts-expect-error an argument is missing
  square.remote();

  const later = remote(async (text: string, times?: number) => text.repeat(times ?? 1));
  same<ReturnType<typeof later.remote>, ObjectRef<string>>(true);
  later.remote("a");
  later.remote("a", 2);
  // @ts-expect-error too many
  later.remote("a", 2, 3);

  const many = remote((...parts: number[]) => parts.length);
  many.remote(1, 2, ref);

  const count = remote(function* (to: number) {
    for (let i = 0; i < to; i++) yield i;
  });
  const stream = count.remote(3);
  same<typeof stream, ObjectRefStream<number>>(true);
  for await (const item of stream) same<typeof item, ObjectRef<number>>(true);

  const values = await get([square.remote(1), later.remote("b")] as const);
  same<typeof values, [number, string]>(true);
  const record = await get({ a: square.remote(1), b: later.remote("b") });
  same<typeof record, { a: number; b: string }>(true);
}

export async function severalReturns(): Promise<void> {
  const divide = remote((a: number, b: number) => [Math.floor(a / b), a % b], { numReturns: 2 });
  const refs = divide.remote(7, 2);
  same<typeof refs, [ObjectRef<number>, ObjectRef<number>]>(true);
  const pair = remote((): [number, string] => [1, "a"]).options({ numReturns: 2 });
  const [number, text] = pair.remote();
  same<typeof number, ObjectRef<number>>(true);
  same<typeof text, ObjectRef<string>>(true);
}

function overloaded(value: string): string;
function overloaded(value: number, radix: number): number;
function overloaded(value: string | number): string | number {
  return value;
}

function identity<T>(value: T): T {
  return value;
}

export function overloadsAndGenerics(): void {
  const call = remote(overloaded);
  const text = call.remote("a");
  same<typeof text, ObjectRef<string>>(true);
  const number = call.remote(1, 2);
  same<typeof number, ObjectRef<number>>(true);
  // @ts-expect-error no overload takes a number alone
  call.remote(1);
  const typed = remote(identity<number>);
  same<ReturnType<typeof typed.remote>, ObjectRef<number>>(true);
}

class Counter {
  #count: number;
  readonly label = "hits";
  constructor(start: number) {
    this.#count = start;
  }
  add(by: number): number {
    return (this.#count += by);
  }
  async *countTo(to: number): AsyncGenerator<number> {
    for (let i = 0; i < to; i++) yield i;
  }
}

class Pool {
  static async create(size: number): Promise<Pool> {
    return Object.assign(new Pool(), { size });
  }
  take(): string {
    return "";
  }
}

export async function actors(): Promise<void> {
  const counter = remote(Counter).options({ name: "hits", maxRestarts: -1 }).remote(5);
  same<typeof counter, ActorHandle<Counter>>(true);
  const sum = counter.add.remote(2);
  same<typeof sum, ObjectRef<number>>(true);
  counter.add.remote(sum);
  for await (const item of counter.countTo.remote(2)) same<typeof item, ObjectRef<number>>(true);
  // @ts-expect-error the constructor takes a number
  remote(Counter).remote("5");
  // @ts-expect-error a field is no method
  void counter.label.remote;
  // @ts-expect-error no such method
  void counter.subtract;
  same<Awaited<typeof counter>, ActorHandle<Counter>>(true);
  const pool = remote(Pool).remote(3);
  same<typeof pool, ActorHandle<Pool>>(true);
}

export function methodsOfActors(): void {
  class Store {
    async read(key: string, fallback?: number): Promise<number> {
      return fallback ?? key.length;
    }
    split(): [number, string] {
      return [1, "a"];
    }
    find(name: string): string;
    find(index: number, strict: boolean): number;
    find(key: string | number): string | number {
      return key;
    }
    each(callback: (value: number) => void): void {
      callback(1);
    }
    protected hidden(): void {}
  }
  const store = remote(Store).remote();
  same<ReturnType<typeof store.read.remote>, ObjectRef<number>>(true);
  store.read.remote(put("a"));
  store.read.options({ timeoutMs: 5, maxTaskRetries: 2 }).remote("a", 2);
  // @ts-expect-error a task's option
  store.read.options({ timeoutMs: 5, maxRetries: 2 });
  const [number, text] = store.split.options({ numReturns: 2 }).remote();
  same<[typeof number, typeof text], [ObjectRef<number>, ObjectRef<string>]>(true);
  const found = store.find.remote(1, true);
  same<typeof found, ObjectRef<number>>(true);
  const named = store.find.remote("a");
  same<typeof named, ObjectRef<string>>(true);
  // @ts-expect-error a method that takes a function is there for the class itself
  void store.each.remote;
  // @ts-expect-error not public
  void store.hidden;
  interface Thenable {
    then(): string;
    go(): number;
  }
  type Handle = ActorHandle<Thenable>;
  same<"then" extends keyof Handle ? true : false, false>(true);
  same<"go" extends keyof Handle ? true : false, true>(true);

  const options = remote(Store, { concurrencyGroups: { io: 2 }, methods: { split: { numReturns: 2 }, read: { concurrencyGroup: "io" } } });
  const pair = options.remote().split.remote();
  same<typeof pair, [ObjectRef<number>, ObjectRef<string>]>(true);
  const read = options.options({ name: "store" }).remote().read.remote("a");
  same<typeof read, ObjectRef<number>>(true);
  // @ts-expect-error no such option of a method
  remote(Store, { methods: { read: { numCpus: 2 } } });
}

class Private {
  readonly size: number;
  private constructor(size: number) {
    this.size = size;
  }
  static async create(size: number): Promise<Private> {
    return new Private(size);
  }
  grow(by: number): number {
    return this.size + by;
  }
}

abstract class Animal {
  abstract sound(): string;
}
class Dog extends Animal {
  sound(): string {
    return "woof";
  }
  fetch(): number {
    return 1;
  }
}

export function classes(): void {
  const made = remote(Private).remote(put(3));
  same<ReturnType<typeof made.grow.remote>, ObjectRef<number>>(true);
  // @ts-expect-error create takes a number
  remote(Private).remote("3");
  const dog: ActorHandle<Dog> = remote(Dog).remote();
  const animal: ActorHandle<Animal> = dog;
  same<ReturnType<typeof animal.sound.remote>, ObjectRef<string>>(true);
  // @ts-expect-error not every animal fetches
  void animal.fetch;
  // @ts-expect-error a dog is more than an animal
  const wrong: ActorHandle<Dog> = animal;
  void wrong;
}

export function handlesAsValues(): void {
  const square: RemoteFunction<[x: number], number> = remote(async (x: number) => x * x);
  const twice = remote(async (fn: RemoteFunction<[x: number], number>, x: number) => await get(fn.remote(x)));
  same<ReturnType<typeof twice.remote>, ObjectRef<number>>(true);
  twice.remote(square, 2);
  const counts = remote((counter: ActorHandle<Counter>) => counter.add.remote(1));
  const nested = counts.remote(remote(Counter).remote(1));
  same<typeof nested, ObjectRef<ObjectRef<number>>>(true);
  const all = remote((refs: ObjectRef<number>[]) => refs.length);
  all.remote([square.remote(1)]);
  // @ts-expect-error a ref at the top level arrives as its value
  remote((ref: ObjectRef<number>) => ref);
}

export async function results(): Promise<void> {
  const both = remote((a: number, b: string): [number, string, Date] => [a, b, new Date()]).options({ numReturns: 3 });
  same<ReturnType<typeof both.remote>, [ObjectRef<number>, ObjectRef<string>, ObjectRef<Date>]>(true);
  const parts = remote((): Promise<Float64Array[]> => Promise.resolve([])).options({ numReturns: 4 });
  const [first, , , last] = parts.remote();
  same<[typeof first, typeof last], [ObjectRef<Float64Array>, ObjectRef<Float64Array>]>(true);
  const none = remote(() => {}).options({ numReturns: 0 });
  same<ReturnType<typeof none.remote>, []>(true);
  const anyNumber = remote((): number[] => []).options({ numReturns: Math.floor(2.5) });
  same<ReturnType<typeof anyNumber.remote>, ObjectRef<number>[]>(true);
  const pair = remote((): [number, string] => [1, "a"]);
  same<ReturnType<typeof pair.remote>, ObjectRef<[number, string]>>(true);
  const two = pair.options({ numReturns: 2 }).options({ numCpus: 2 });
  same<ReturnType<typeof two.remote>, [ObjectRef<number>, ObjectRef<string>]>(true);
  // @ts-expect-error two is not three
  const [three]: [ObjectRef<number>, ObjectRef, ObjectRef] = pair.options({ numReturns: 3 }).remote();
  void three;
  const stream = remote(async function* (): AsyncGenerator<string> {
    yield "a";
  });
  same<ReturnType<typeof stream.remote>, ObjectRefStream<string>>(true);
  const declared = remote(function* (): Iterable<number> {
    yield 1;
  });
  same<ReturnType<typeof declared.remote>, ObjectRefStream<number>>(true);
  const map = remote(() => new Map([["a", 1]]));
  same<ReturnType<typeof map.remote>, ObjectRef<Map<string, number>>>(true);
  const list = remote(() => [1, 2].values());
  same<ReturnType<typeof list.remote>, ObjectRefStream<number>>(true);
  const unknown = remote((value: unknown) => JSON.parse(String(value)) as unknown);
  same<ReturnType<typeof unknown.remote>, ObjectRef<unknown>>(true);

  const values = await get([both.remote(1, "a")[0], pair.remote()]);
  same<typeof values, [number, [number, string]]>(true);
  const array: ObjectRef<number>[] = [];
  const numbers = await get(array);
  same<typeof numbers, number[]>(true);
  const { ready, pending } = await wait(array, { numReturns: 1 });
  same<[typeof ready, typeof pending], [ObjectRef<number>[], ObjectRef<number>[]]>(true);
}

export async function mapped(): Promise<void> {
  for await (const y of map([1, 2], async (x) => `${x}`)) same<typeof y, string>(true);
  for await (const y of map(new Set(["a"]), (x) => x.length, { onError: "collect" })) same<typeof y, Settled<number>>(true);
  // @ts-expect-error an item of text is no number
  map(["a"], (x: number) => x);
  // @ts-expect-error each item has one result
  map([1], (x) => x, { numReturns: 2 });
}

export function optionsAreChecked(): void {
  const identityOfNumber = (x: number): number => x;
  // @ts-expect-error an unknown option beside a known one
  remote(identityOfNumber, { numCpus: 1, numCpu: 2 });
  // @ts-expect-error the same, later
  remote(identityOfNumber).options({ numCpus: 1, maxRetry: 2 });
  // @ts-expect-error an option of actors
  remote(identityOfNumber, { numCpus: 1, maxRestarts: 2 });
  // @ts-expect-error an option of tasks
  remote(Counter, { numCpus: 1, maxCalls: 2 });
  remote(identityOfNumber, { retryExceptions: [RangeError, "CustomError"], numReturns: undefined });
  // @ts-expect-error no such lifetime
  remote(Counter, { lifetime: "forever" });
}

interface Node {
  readonly children: Node[];
  readonly meta: Map<string, Set<Date>>;
}

class Money {
  readonly cents: bigint = 0n;
  plus(other: Money): Money {
    return other;
  }
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export function whatCanBeSent(): void {
  remote((node: Node) => node);
  remote((json: Json): Json => json);
  remote((money: Money) => money.plus(money));
  remote((bytes: Uint8Array, error: Error, when: Date, pattern: RegExp, url: URL) => [bytes, error, when, pattern, url]);
  remote((pairs: ReadonlyMap<string, readonly number[]>, set: ReadonlySet<bigint>) => pairs.size + set.size);
  remote((anything: unknown, whatever: ReturnType<typeof JSON.parse>): void => void [anything, whatever]);
  remote((): never => {
    throw new Error("always");
  });
  remote(<K extends "a" | "b">(key: K): K => key);

  // @ts-expect-error a function is not data
  remote((fn: () => void) => fn());
  // @ts-expect-error nor is a class
  remote((Class: new () => object) => new Class());
  // @ts-expect-error nor a list of them
  remote((fns: (() => void)[]) => fns.length);
  // @ts-expect-error nor a map of them
  remote((fns: Map<string, () => void>) => fns.size);
  // @ts-expect-error a promise must be awaited first
  remote((promise: Promise<number>) => promise);
  // @ts-expect-error also inside plain data
  remote((holder: { readonly value: Promise<number> }) => holder.value);
  // @ts-expect-error a symbol exists in one process only
  remote((key: symbol) => key.description);
  // @ts-expect-error what is held weakly, too
  remote((cache: WeakMap<object, number>) => cache);
  // @ts-expect-error a socket is a connection of its process
  remote((socket: Socket) => socket.remotePort);
  // @ts-expect-error so is a stream
  remote((input: Readable) => input.read() as unknown);
  // @ts-expect-error a signal is an option
  remote((signal: AbortSignal) => signal.aborted);
  // @ts-expect-error a result that is a function
  remote(() => () => 1);
  // @ts-expect-error a result with a stream in it
  remote(async (): Promise<{ body: ReadableStream }> => ({ body: new ReadableStream() }));
  class Calls {
    constructor(fn: () => void) {
      fn();
    }
  }
  // @ts-expect-error a constructor that takes a function
  remote(Calls);
}

/** Its fields are of the type of its own handles. */
class Station {
  next: ActorHandle<Station> | undefined;
  readonly others: ActorHandle<Station>[] = [];
  readonly byName = new Map<string, ActorHandle<Station>>();
  link(next: ActorHandle<Station>): void {
    this.next = next;
  }
  async hops(): Promise<number> {
    return this.next === undefined ? 0 : (await get(this.next.hops.remote())) + 1;
  }
}

export function actorsThatKnowEachOther(): void {
  const station = remote(Station).remote();
  same<typeof station, ActorHandle<Station>>(true);
  station.link.remote(remote(Station).remote());
  same<ReturnType<typeof station.hops.remote>, ObjectRef<number>>(true);
  // @ts-expect-error a field stays in its actor
  void station.next.remote;
  // @ts-expect-error an actor of another class
  station.link.remote(remote(Pool).remote(1));
  const known: ActorHandle<{ hops(): Promise<number> }> = station;
  void known;
}

export function optionsOfMethods(): void {
  remote(Counter, { methods: { add: { maxTaskRetries: 1 } } });
  remote(Counter).options({ methods: { countTo: { generatorBackpressure: 1 } } });
  // @ts-expect-error no such method
  remote(Counter, { methods: { nope: {} } });
  // @ts-expect-error nor here
  remote(Counter).options({ methods: { nope: {} } });
  // @ts-expect-error a field is no method
  remote(Counter, { methods: { label: {} } });
}

export function abstractClasses(): void {
  abstract class Shape {
    abstract area(): number;
  }
  abstract class Found extends Shape {
    static create(): Found {
      throw new Error("what it finds");
    }
  }
  // @ts-expect-error nothing can be made of it
  remote(Shape);
  const found = remote(Found).remote();
  same<typeof found, ActorHandle<Found>>(true);
}

class Measurer {
  length(text: string): number {
    return text.length;
  }
  async shown(value: number): Promise<string> {
    return String(value);
  }
}

export async function pools(): Promise<void> {
  const actor = remote(Measurer).remote();
  const pool = new ActorPool([actor]);
  for await (const length of pool.map((one, text: string) => one.length.remote(text), ["a"])) same<typeof length, number>(true);
  for await (const shown of pool.mapUnordered((one, value) => one.shown.remote(value), [1])) same<typeof shown, string>(true);
  // @ts-expect-error the values are no texts
  pool.map((one, text: string) => one.length.remote(text), [1]);
  pool.submit((one, text) => one.length.remote(text), "a");
  same<Awaited<ReturnType<typeof pool.getNext>>, unknown>(true);
  const next = await pool.getNext<number>();
  same<typeof next, number>(true);
  const typed = new ActorPool<ActorHandle<Measurer>, number>([actor]);
  typed.submit((one, text) => one.length.remote(text), "a");
  // @ts-expect-error its calls give numbers
  typed.submit((one, value) => one.shown.remote(value), 1);
  const length = await typed.getNextUnordered();
  same<typeof length, number>(true);
}
