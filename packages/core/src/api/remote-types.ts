/**
 * What `remote` makes of a function or a class, for the compiler: the same parameters, each of them as its value or as the
 * ref of one, and refs of the results. Up to four overloads are kept. A generic function loses its type parameters, which
 * TypeScript does not infer through: give them, as in `remote(identity<number>)`.
 */
import type { brand, ObjectRef } from "../worker/objects/object-ref.ts";
import type { ObjectRefStream } from "../worker/calls/object-stream.ts";
import type { ActorOptions, MethodOptions, MethodsOptions, NumReturns, TaskOptions } from "./option-types.ts";
import type { AnyFunction, RemoteCallable, Unsendable } from "./sendable.ts";

/** A parameter: its value, or the ref of one. Refs inside arrays and objects stay refs. */
export type Argument<T> = T | ObjectRef<T>;

/** Parameters as `.remote()` takes them; names, optional and rest parameters stay. */
export type Arguments<P extends readonly unknown[]> = { [K in keyof P]: Argument<P[K]> };

/** What `.remote()` returns, for a result of type R (of a generator: an item). */
export type Returned<R, N extends NumReturns> = N extends "streaming"
  ? ObjectRefStream<R>
  : N extends 1
    ? ObjectRef<R>
    : number extends N
      ? ObjectRef<ItemOf<R>>[]
      : RefTuple<R, N & number>;

type RefTuple<R, N extends number> = R extends readonly unknown[]
  ? R["length"] extends N
    ? { -readonly [K in keyof R]: ObjectRef<R[K]> }
    : number extends R["length"]
      ? Repeat<ObjectRef<R[number]>, N>
      : Unsendable<"numReturns is not the length of the result">
  : Repeat<ObjectRef<R>, N>;

type ItemOf<R> = R extends readonly (infer Item)[] ? Item : R;

/** A tuple up to the lengths that people write by hand; an array past them. */
type Repeat<T, N extends number, Made extends readonly T[] = []> = Made["length"] extends N
  ? [...Made]
  : Made["length"] extends 32
    ? T[]
    : Repeat<T, N, readonly [...Made, T]>;

/** A function whose calls are tasks. R is what it resolves to, or the items that it yields when N is "streaming". */
export interface RemoteFunction<P extends readonly unknown[], R, N extends NumReturns = 1> {
  readonly [brand]: "function";
  /** Submits a call and returns at once. @throws {RaiaError} UNSERIALIZABLE, FUNCTION_UNCAPTURABLE, PENDING_CALLS_LIMIT */
  remote(...args: Arguments<P>): Returned<R, N>;
  /** The same function with further options. @throws {RaiaError} INVALID_OPTION */
  options<M extends NumReturns = N>(options: TaskOptions<M>): RemoteFunction<P, R, M>;
}

/** The same for a function of several signatures. */
export interface OverloadedRemoteFunction<S extends Signatures, N extends NumReturns | undefined = undefined> {
  readonly [brand]: "function";
  readonly remote: Calls<S, N>;
  options<M extends NumReturns | undefined = N>(options: TaskOptions<M>): OverloadedRemoteFunction<S, M>;
}

/** What `remote(fn)` gives. */
export type RemoteFunctionOf<F, N extends NumReturns | undefined = undefined> =
  SignaturesOf<F> extends infer S extends Signatures
    ? S extends readonly [infer Only extends Signature]
      ? RemoteFunction<Only[0], ResultOf<Only[1]>, ReturnsOf<Only[1], N>>
      : OverloadedRemoteFunction<S, N>
    : never;

/** `unknown` when `remote(fn)` accepts the function; otherwise the reason, as the name of an error. */
export type SendableFunction<F> = CheckedSignatures<SignaturesOf<F>>;

type CheckedSignatures<S extends Signatures> = S extends readonly [infer First extends Signature, ...infer Rest extends Signatures]
  ? RemoteCallable<First[0], ResultOf<First[1]>> & CheckedSignatures<Rest>
  : unknown;

// -- actors

type AnyClass = new (...args: never[]) => object;
/** A class that is set up by `static async create(...)`; its constructor may be private. */
type CreatedClass = { readonly prototype: object; create(...args: never[]): object };
export type ActorClassLike = AnyClass | CreatedClass;

/** What the class makes. */
export type InstanceOf<C> = C extends abstract new (
  ...args: never[]
) => infer I
  ? I
  : C extends { readonly prototype: infer I }
    ? I
    : never;

type SetUp<C> = C extends { create(...args: infer P): unknown } ? P : C extends abstract new (...args: infer P) => unknown ? P : never;

/** A class whose instances are actors. */
export interface ActorClass<C extends ActorClassLike, M extends MethodsOptions = Record<never, never>> {
  readonly [brand]: "class";
  /**
   * Creates an actor. Its handle is there at once, and calls wait until the actor is.
   *
   * @throws {RaiaError} UNSERIALIZABLE, FUNCTION_UNCAPTURABLE
   */
  remote(...args: Arguments<SetUp<C>>): ActorHandle<InstanceOf<C>, M>;
  /** The same class with further options. @throws {RaiaError} INVALID_OPTION */
  options<const L extends MethodsOptions = M>(options: ActorOptions<L> & OnlyMethods<C, L>): ActorClass<C, L>;
}

/** `unknown` when `remote(Class)` accepts it; otherwise the reason, as the name of an error. */
export type SendableClass<C> = RemoteCallable<SetUp<C>, undefined>;

/**
 * Calls an actor of class I: `handle.method.remote(...)`. It may be sent, and is not thenable. `await using` lets go of it at the
 * end of a block. Fields stand here with a type that nothing has, rather than not at all: which keys are methods is not known yet
 * where a class has a field of its own handle's type.
 */
export type ActorHandle<I, M extends MethodsOptions = Record<never, never>> = {
  readonly [K in PublicName<I>]: [I[K]] extends [AnyFunction]
    ? MethodOf<I[K], K extends keyof M ? Said<M[K]> : undefined>
    : Unsendable<"a field stays in its actor; give the class a method that returns it">;
} & AnyActorHandle;

/** `then` would make the handle thenable, and `toJSON` is the handle's own. */
type PublicName<I> = Exclude<keyof I & string, "then" | "toJSON">;

/** How many results calls of a method have, where the options of its class say so. */
type Said<O> = O extends { readonly numReturns: infer N extends NumReturns } ? N : undefined;

export interface AnyActorHandle extends AsyncDisposable {
  readonly [brand]: "actor";
}

/** Its public methods. */
type MethodName<I> = { [K in PublicName<I>]-?: I[K] extends AnyFunction ? K : never }[PublicName<I>];

/** Refuses options for what is no method of the class. */
export type OnlyMethods<C, M> = { readonly methods?: { readonly [K in Exclude<keyof M, MethodName<InstanceOf<C>>>]: never } | undefined };

/** One method of an actor. R is what it resolves to, or the items that it yields when N is "streaming". */
export interface RemoteMethod<P extends readonly unknown[], R, N extends NumReturns = 1> {
  /** Calls it and returns at once. @throws {RaiaError} UNSERIALIZABLE, PENDING_CALLS_LIMIT */
  remote(...args: Arguments<P>): Returned<R, N>;
  options<M extends NumReturns = N>(options: MethodOptions<M>): RemoteMethod<P, R, M>;
}

export interface OverloadedRemoteMethod<S extends Signatures, N extends NumReturns | undefined = undefined> {
  readonly remote: Calls<S, N>;
  options<M extends NumReturns | undefined = N>(options: MethodOptions<M>): OverloadedRemoteMethod<S, M>;
}

type MethodOf<F, N extends NumReturns | undefined> =
  SignaturesOf<F> extends infer S extends Signatures
    ? unknown extends CheckedSignatures<S>
      ? S extends readonly [infer Only extends Signature]
        ? RemoteMethod<Only[0], ResultOf<Only[1]>, ReturnsOf<Only[1], N>>
        : OverloadedRemoteMethod<S, N>
      : CheckedSignatures<S>
    : never;

// -- signatures

type Signature = readonly [parameters: readonly unknown[], result: unknown];
type Signatures = readonly Signature[];

/** The last four overloads, in order. Written for four, and repeated by TypeScript when there are fewer. */
type SignaturesOf<F> = F extends {
  (...args: infer A): infer Q;
  (...args: infer B): infer R;
  (...args: infer C): infer S;
  (...args: infer D): infer T;
}
  ? Distinct<[[A, Q], [B, R], [C, S], [D, T]]>
  : F extends (...args: infer A) => infer Q
    ? [[A, Q]]
    : never;

type Distinct<S extends Signatures> = S extends readonly [infer First extends Signature, ...infer Rest extends Signatures]
  ? Rest extends readonly [infer Next extends Signature, ...Signatures]
    ? Same<First, Next> extends true
      ? Distinct<Rest>
      : Filler<First> extends true
        ? Distinct<Rest>
        : [First, ...Distinct<Rest>]
    : [First]
  : [];

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Filler<S extends Signature> = Same<S, [unknown[], unknown]>;

type Calls<S extends Signatures, N extends NumReturns | undefined> = S extends readonly [
  infer First extends Signature,
  ...infer Rest extends Signatures,
]
  ? ((...args: Arguments<First[0]>) => Returned<ResultOf<First[1]>, ReturnsOf<First[1], N>>) & Calls<Rest, N>
  : unknown;

// -- results

/** The types that generators are declared with. An array or a map can be iterated too, but is one value. */
type Produced<R> = 0 extends 1 & R
  ? never
  : R extends AsyncIterator<infer Item, unknown, never>
    ? Item
    : R extends Iterator<infer Item, unknown, never>
      ? Item
      : AsyncIterable<never> extends R
        ? R extends AsyncIterable<infer Item>
          ? Item
          : never
        : Iterable<never> extends R
          ? R extends Iterable<infer Item>
            ? Item
            : never
          : never;

type IsProducer<R> = 0 extends 1 & R
  ? false
  : unknown extends R
    ? false
    : [R] extends [never]
      ? false
      : [Produced<R>] extends [never]
        ? false
        : true;

/** What the result is when it has arrived. */
type ResultOf<R> = IsProducer<R> extends true ? Produced<R> : Awaited<R>;

/** What is asked for, else one, or a stream of a generator's items. */
type ReturnsOf<R, N extends NumReturns | undefined> = N extends NumReturns ? N : IsProducer<R> extends true ? "streaming" : 1;
