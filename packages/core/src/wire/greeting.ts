/** How two processes meet: the first frame each way says who is there, and proves that it belongs to the cluster. */
import { RaiaError } from "../base/errors.ts";
import { type Infer, str, u32, u53 } from "./schema.ts";
import { message } from "./service.ts";

/** Raised when a change makes old and new unable to talk. */
export const PROTOCOL_VERSION = 1;

/** First frame of whoever dialled; `secret` proves membership. */
export const Hello = message(1, "Hello", { version: u32, secret: str, peerId: str, pid: u53, address: str });
export const Welcome = message(2, "Welcome", { version: u32, peerId: str, pid: u53 });

export interface Identity {
  readonly peerId: string;
  readonly pid: number;
  /** Where this process itself can be dialled; empty when it cannot. */
  readonly address: string;
  readonly secret: string;
}

export function helloOf({ secret, peerId, pid, address }: Identity): Infer<typeof Hello> {
  return { version: PROTOCOL_VERSION, secret, peerId, pid, address };
}

export function welcomeOf({ peerId, pid }: Identity): Infer<typeof Welcome> {
  return { version: PROTOCOL_VERSION, peerId, pid };
}

/** @throws {RaiaError} AUTHENTICATION, PROTOCOL when whoever dialled does not belong to the cluster of `identity` */
export function checkHello(body: unknown, tag: number, { secret }: Identity): Infer<typeof Hello> {
  if (tag !== Hello.tag) throw new RaiaError("AUTHENTICATION", { reason: "the first frame is not a greeting", tag });
  const hello = Hello.check(body, "Hello");
  if (hello.version !== PROTOCOL_VERSION)
    throw new RaiaError("PROTOCOL", { reason: "other version", theirs: hello.version, ours: PROTOCOL_VERSION });
  if (!sameSecret(hello.secret, secret)) throw new RaiaError("AUTHENTICATION", { reason: "wrong secret", peer: hello.peerId });
  return hello;
}

/** @throws {RaiaError} PROTOCOL when it is no welcome */
export function checkWelcome(body: unknown, tag: number): Infer<typeof Welcome> {
  if (tag !== Welcome.tag) throw new RaiaError("PROTOCOL", { reason: "expected a welcome", tag });
  return Welcome.check(body, "Welcome");
}

function sameSecret(theirs: string, ours: string): boolean {
  const [a, b] = [Buffer.from(theirs), Buffer.from(ours)];
  if (a.length !== b.length) return false;
  // Every byte is looked at, so that the time taken does not tell where they differ.
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] as number) ^ (b[at] as number);
  return difference === 0;
}
