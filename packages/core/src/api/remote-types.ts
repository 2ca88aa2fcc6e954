/**
 * What `remote` makes of a function or class, for the type checker: parameters, results, generators, actor methods and up
 * to four overloads keep their types; a ref is accepted where its value is; what cannot be sent is an error at the call.
 *
 * TypeScript loses generic functions through inference, so they need an instantiation: `remote(identity<number>)`.
 */
import type { ObjectRef } from "../worker/object-ref.ts";
import type { ObjectRefStream } from "../worker/object-stream.ts";
import type { ActorOptions, MethodOptions, TaskOptions } from "./option-types.ts";

/** Stands where a type cannot be sent; the text says why. */
export interface CannotBeSent<Why extends string> {
  readonly cannotBeSent: Why;
}

type AnyArguments = readonly unknown[];
type Anything = (...args: never[]) => unknown;

/** `any` and `unknown` pass: what they hold is seen when the program runs. */
type Unsendable<T> = unknown extends T
  ? never
  : T extends { readonly remote: unknown }
    ? never
    : T extends Anything
      ? CannotBeSent<"a function is not data: pass a remote function">
      : T extends symbol
        ? CannotBeSent<"a symbol exists in one process only">
        : T extends Promise<unknown>
          ? CannotBeSent<"a promise: await it first">
          : T extends WeakMap<WeakKey, unknown> | WeakSet<WeakKey>
            ? CannotBeSent<"it exists in one process only">
            : never;

/** A parameter as a caller may give it: the value, or a ref to it. */
export type Argument<T> = [Unsendable<T>] extends [never] ? T | ObjectRef<T> : Unsendable<T>;
/** Optional and rest parameters stay what they are. */
export type Arguments<A extends AnyArguments> = { [K in keyof A]: Argument<A[K]> };

type Returned<R> = [Unsendable<Awaited<R>>] extends [never] ? ObjectRef<Awaited<R>> : Unsendable<Awaited<R>>;
type Items<R> = R extends AsyncGenerator<infer Y, unknown, never> ? Y : R extends Generator<infer Y, unknown, never> ? Y : never;

/** What one call gives: a ref, or a stream of refs. */
export type CallResult<R> = unknown extends R
  ? ObjectRef<R>
  : [R] extends [never]
    ? ObjectRef<never>
    : [R] extends [Generator<unknown, unknown, never> | AsyncGenerator<unknown, unknown, never>]
      ? ObjectRefStream<Items<R>>
      : Returned<R>;

type TupleOf<T, N extends number, Made extends T[] = []> = number extends N
  ? T[]
  : Made["length"] extends N
    ? Made
    : TupleOf<T, N, [...Made, T]>;

type RefsOf<T extends readonly unknown[]> = { -readonly [K in keyof T]: ObjectRef<T[K]> };

/** What one call gives when `numReturns` says how many. */
export type CallResults<R, N> = N extends "streaming"
  ? ObjectRefStream<Awaited<R> extends Iterable<infer Y> | AsyncIterable<infer Y> ? Y : unknown>
  : N extends 1
    ? CallResult<R>
    : N extends number
      ? Awaited<R> extends readonly [unknown, ...unknown[]]
        ? RefsOf<Awaited<R>>
        : Awaited<R> extends readonly (infer E)[]
          ? TupleOf<ObjectRef<E>, N>
          : CannotBeSent<"numReturns needs a function that returns an array">
      : CallResult<R>;

type NumReturnsOf<O, Otherwise> = O extends { readonly numReturns: infer N extends number | "streaming" } ? N : Otherwise;

interface Signature<A extends AnyArguments, R> {
  readonly args: A;
  readonly result: R;
}

/** TypeScript fills the pattern from the end: what a function does not have comes first, as `unknown[]`. */
type Signatures<F> = F extends {
  (...args: infer A1 extends AnyArguments): infer R1;
  (...args: infer A2 extends AnyArguments): infer R2;
  (...args: infer A3 extends AnyArguments): infer R3;
  (...args: infer A4 extends AnyArguments): infer R4;
}
  ? [Signature<A1, R1>, Signature<A2, R2>, Signature<A3, R3>, Signature<A4, R4>]
  : never;

type IsAbsent<A extends AnyArguments> = number extends A["length"] ? (unknown extends A[number] ? true : false) : false;

type CallOf<S, N> =
  S extends Signature<infer A, infer R> ? (IsAbsent<A> extends true ? unknown : (...args: Arguments<A>) => CallResults<R, N>) : never;

type OverloadedCall<S, N> = S extends [infer S1, infer S2, infer S3, infer S4]
  ? CallOf<S1, N> & CallOf<S2, N> & CallOf<S3, N> & CallOf<S4, N>
  : never;

type IsOverloaded<F> =
  Signatures<F> extends [unknown, unknown, Signature<infer A, unknown>, unknown] ? (IsAbsent<A> extends true ? false : true) : false;

/** What `remote` makes of a function: `RemoteFunction<[x: number], number>`, or the form that keeps overloads. */
export type RemoteOf<F extends Anything, N> =
  IsOverloaded<F> extends true
    ? RemoteOverloads<F, N>
    : F extends (...args: infer A extends AnyArguments) => infer R
      ? RemoteFunction<A, R, N>
      : never;

/** A function whose calls run elsewhere: its parameters, and what it returns. */
export interface RemoteFunction<A extends AnyArguments, R, N = 1> {
  /** Submits a call. Returns at once. */
  remote(...args: Arguments<A>): CallResults<R, N>;
  /** The same function with other options. */
  options<const O extends TaskOptions>(options: O): RemoteFunction<A, R, NumReturnsOf<O, N>>;
}

/** The same for a function with up to four overloads. */
export interface RemoteOverloads<F extends Anything, N = 1> {
  readonly remote: OverloadedCall<Signatures<F>, N>;
  options<const O extends TaskOptions>(options: O): RemoteOverloads<F, NumReturnsOf<O, N>>;
}

/** One method of an actor as a caller has it. */
export interface RemoteMethod<A extends AnyArguments, R, N = 1> {
  remote(...args: Arguments<A>): CallResults<R, N>;
  options<const O extends MethodOptions>(options: O): RemoteMethod<A, R, NumReturnsOf<O, N>>;
}

type MethodOf<F> =
  IsOverloaded<F> extends true
    ? { readonly remote: OverloadedCall<Signatures<F>, 1> }
    : F extends (...args: infer A extends AnyArguments) => infer R
      ? RemoteMethod<A, R>
      : never;

/** An actor: each public method under its name. Not thenable, so it may be awaited and returned. */
export type ActorHandle<Instance> = {
  readonly [K in keyof Instance as Instance[K] extends Anything ? K : never]: MethodOf<Instance[K]>;
} & AsyncDisposable;

type AnyClass = abstract new (...args: never[]) => object;

type Creation<C> = C extends { create(...args: infer A extends AnyArguments): Promise<infer I> }
  ? (...args: Arguments<A>) => ActorHandle<I>
  : C extends abstract new (
        ...args: infer A extends AnyArguments
      ) => infer I
    ? (...args: Arguments<A>) => ActorHandle<I>
    : never;

/** A class whose instances are actors. */
export interface ActorClass<C extends AnyClass> {
  /** Creates an actor. Its handle is there at once. */
  readonly remote: Creation<C>;
  /** The same class with other options. */
  options(options: ActorOptions): ActorClass<C>;
}
