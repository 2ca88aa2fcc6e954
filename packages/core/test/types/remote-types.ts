/** Compiled, never run: what `remote` keeps of types, and what it refuses. */
import { type ActorHandle, get, type ObjectRef, type ObjectRefStream, remote } from "@raia/core";

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
  // @ts-expect-error a property is no method
  counter.label;
  // @ts-expect-error no such method
  counter.subtract;
  const awaited = await counter;
  same<typeof awaited, ActorHandle<Counter>>(true);
  const pool = remote(Pool).remote(3);
  same<typeof pool, ActorHandle<Pool>>(true);
}

export function unsendable(): void {
  const apply = remote((fn: () => void) => fn());
  // @ts-expect-error a function is not data
  apply.remote(() => {});
  const keep = remote((promise: Promise<number>) => promise);
  // @ts-expect-error a promise must be awaited first
  keep.remote(Promise.resolve(1));
  const returnsFunction = remote(() => () => 1);
  const result = returnsFunction.remote();
  // @ts-expect-error what cannot be sent is no ref
  void get(result);
  // @ts-expect-error unknown option
  remote((x: number) => x, { numCpu: 2 });
  // @ts-expect-error no such lifetime
  remote(Counter, { lifetime: "forever" });
}
