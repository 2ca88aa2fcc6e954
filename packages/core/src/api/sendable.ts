/**
 * What cannot be sent, as far as types can know it: a function, a promise, a socket as a parameter or a result makes
 * `remote(...)` a compile error that says why. Types see shapes, not classes, so an object with methods passes (it may have
 * a codec), and so does what `any` and `unknown` hide; those are checked when they are sent.
 */
import type { ChildProcess } from "node:child_process";
import type { Server, Socket } from "node:net";
import type { MessagePort, Worker } from "node:worker_threads";
import type { brand, ObjectRef } from "../worker/objects/object-ref.ts";

declare const unsendable: unique symbol;

/** No value has this type. It stands where something cannot be sent, and its argument says what and why. */
export interface Unsendable<Why extends string> {
  readonly [unsendable]: Why;
}

export type AnyFunction = (...args: never[]) => unknown;
export type AnyConstructor = abstract new (...args: never[]) => unknown;

/** Why a value of this type cannot be sent; `never` when nothing is known against it. */
export type ObstacleOf<T> = Obstacle<T, []>;

/** `unknown` for a function that can be called remotely, else the error. */
export type RemoteCallable<P extends readonly unknown[], R> = [ParameterObstacle<P>] extends [never]
  ? [ResultObstacle<R>] extends [never]
    ? unknown
    : Unsendable<`its result: ${ResultObstacle<R>}`>
  : Unsendable<`a parameter: ${ParameterObstacle<P>}`>;

/** Levels of arrays, maps and plain objects that are looked into. Deeper ones are checked when they are sent. */
type MaxDepth = 4;

type Leaf = string | number | bigint | boolean | null | undefined | void;
/** Refs, actor handles, remote functions. */
type Branded = { readonly [brand]: string };

type Stream = NodeJS.ReadableStream | NodeJS.WritableStream | ReadableStream | WritableStream;
type Connected = Socket | Server | ChildProcess | Worker | MessagePort;
type Weak = WeakMap<WeakKey, unknown> | WeakSet<WeakKey> | WeakRef<WeakKey> | FinalizationRegistry<unknown>;

type Obstacle<T, Depth extends readonly unknown[]> = 0 extends 1 & T
  ? never
  : unknown extends T
    ? never
    : Depth["length"] extends MaxDepth
      ? never
      : KnownObstacle<T, Depth>;

// Map and Set have all that WeakMap and WeakSet have, so they are asked for first.
type KnownObstacle<T, Depth extends readonly unknown[]> = T extends Leaf | Branded
  ? never
  : T extends symbol
    ? "a symbol means nothing in another process"
    : T extends AnyFunction | AnyConstructor
      ? "a function inside a value is not sent; pass remote(fn), or capture it"
      : T extends ReadonlyMap<infer K, infer V>
        ? Obstacle<K, [...Depth, 0]> | Obstacle<V, [...Depth, 0]>
        : T extends ReadonlySet<infer V>
          ? Obstacle<V, [...Depth, 0]>
          : T extends readonly (infer V)[]
            ? Obstacle<V, [...Depth, 0]>
            : T extends PromiseLike<unknown>
              ? "a promise belongs to its process; await it first, or pass a ref"
              : T extends Weak
                ? "what is held weakly belongs to its process"
                : T extends Stream
                  ? "a stream belongs to its process; send what it yields"
                  : T extends Connected
                    ? "a connection belongs to its process; open it where it is used"
                    : T extends AbortSignal | AbortController
                      ? "a signal belongs to its process; pass it as the option signal"
                      : HasMethod<T> extends true
                        ? never
                        : { [K in keyof T]-?: Obstacle<T[K], [...Depth, 0]> }[keyof T];

type HasMethod<T> = true extends { [K in keyof T]-?: T[K] extends AnyFunction ? true : false }[keyof T] ? true : false;

type ParameterObstacle<P extends readonly unknown[]> = {
  [K in keyof P]-?: TopLevelRef<P[K]> extends true
    ? "a ref arrives as its value: take the value, or the ref inside an array or an object"
    : ObstacleOf<P[K]>;
}[number];

type TopLevelRef<T> = 0 extends 1 & T ? false : [T] extends [never] ? false : [T] extends [ObjectRef<unknown>] ? true : false;

type ResultObstacle<R> = ObstacleOf<R>;
