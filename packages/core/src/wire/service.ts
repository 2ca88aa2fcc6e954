/**
 * Messages and services as values. A message has a tag that is never reused; a service is a table from method name to
 * request and reply. Client and handler types follow from it, so no side can drift from the other.
 */
import { type Fields, type Infer, type InferFields, struct, type Type } from "./schema.ts";

export interface Message<T> extends Type<T> {
  readonly tag: number;
  readonly name: string;
}

/** Declares a message. Tags are append-only: a change of meaning is a new message. */
export function message<const F extends Fields>(tag: number, name: string, fields: F): Message<InferFields<F>> {
  const type = struct(name, fields);
  return { ...type, tag, name, check: (wire, path) => checkTwice(type, wire, path) };
}

/** What is right is checked once, without naming any place; what is wrong again, to say where. */
function checkTwice<T>(type: Type<T>, wire: unknown, path: string | undefined): T {
  try {
    return type.check(wire, undefined);
  } catch {
    return type.check(wire, path);
  }
}

export interface Unary<Request, Reply> {
  readonly kind: "unary";
  readonly request: Message<Request>;
  readonly reply: Message<Reply>;
}

export interface OneWay<Request> {
  readonly kind: "oneWay";
  readonly request: Message<Request>;
}

/** A call that is answered once. */
export function unary<Request, Reply>(request: Message<Request>, reply: Message<Reply>): Unary<Request, Reply> {
  return { kind: "unary", request, reply };
}

/** A message that nobody answers; what it asks for must be safe to lose with the connection. */
export function oneWay<Request>(request: Message<Request>): OneWay<Request> {
  return { kind: "oneWay", request };
}

export type Method = Unary<unknown, unknown> | OneWay<unknown>;
export interface Service<M extends Readonly<Record<string, Method>> = Readonly<Record<string, Method>>> {
  readonly name: string;
  readonly methods: M;
}

export function service<const M extends Readonly<Record<string, Method>>>(name: string, methods: M): Service<M> {
  return { name, methods };
}

type RequestOf<M> = M extends { readonly request: infer R } ? Infer<R> : never;
type ReplyOf<M> = M extends { readonly reply: infer R } ? Infer<R> : never;

/** What a caller holds: one function a method. */
export type Client<S extends Service> = {
  readonly [K in keyof S["methods"]]: S["methods"][K] extends { readonly kind: "unary" }
    ? (request: RequestOf<S["methods"][K]>) => Promise<ReplyOf<S["methods"][K]>>
    : (request: RequestOf<S["methods"][K]>) => void;
};

/** Whoever can be asked for services: a connection, or what stands for one after another. */
export interface ServiceSource {
  client<S extends Service>(service: S): Client<S>;
}

/** What a server gives: one handler a method; `Peer` says who called. */
export type Handlers<S extends Service, Peer> = {
  readonly [K in keyof S["methods"]]: S["methods"][K] extends { readonly kind: "unary" }
    ? (request: RequestOf<S["methods"][K]>, peer: Peer) => ReplyOf<S["methods"][K]> | Promise<ReplyOf<S["methods"][K]>>
    : (request: RequestOf<S["methods"][K]>, peer: Peer) => void;
};
