/**
 * The hot frames: calls pushed to a worker, and results on the way back. Written by hand because every task passes here
 * twice; everything else is a declared message. Numbers are little endian.
 *
 *   push:   u32 channel, then entries  u32 slot | i32 claim | u32 template | f64 sequence | u32 attempt | u32 length | args
 *   result: u32 channel, then entries  u32 slot | u32 microseconds | u32 status | u32 length | payload
 *   item:   u32 channel, then entries  u32 slot | u32 index | u32 status | u32 length | payload
 *
 * A slot is the owner's index for a call that is under way on that channel; the claim word is what the worker must find
 * there to begin (0: no claim needed).
 */
import { RaiaError } from "../../base/errors.ts";
import type { RESULT_TAG, STREAM_ITEM_TAG } from "../../messages/tasks.ts";
import { PUSH_TAG } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import { unpackPlain } from "../../wire/plain-codec.ts";

/** How to read a result's payload. */
export const resultStatus = {
  /** An encoded value. */
  value: 0,
  /** f64 size: the value is in the store of the worker's node under the id that the owner gave it. */
  stored: 1,
  /** An encoded error that the user's code threw. */
  error: 2,
  /** One u32 status, u32 length, payload for each return. */
  returns: 3,
  /** The stream has ended; f64 count of its items. */
  streamEnd: 4,
  /** msgpack [code, facts]: the work could not be run. */
  failure: 5,
} as const;

/** Added to a status: the payload is preceded by u32 length and the refs that it contains. */
export const HAS_REFS = 0x80;

/** The handovers of refs in a result: who drops it unread must tell the worker, which holds them until then. */
export function* handoversIn(status: number, bytes: Buffer, start: number, end: number): Iterable<number> {
  if ((status & HAS_REFS) !== 0) {
    const [handover] = unpackPlain(bytes, start + 4, start + 4 + bytes.readUInt32LE(start)) as [number];
    yield handover;
  } else if (status === resultStatus.returns) {
    for (let at = start; at < end; ) {
      const partEnd = at + 8 + bytes.readUInt32LE(at + 4);
      yield* handoversIn(bytes.readUInt32LE(at), bytes, at + 8, partEnd);
      at = partEnd;
    }
  }
}

/** The claim of a call that nobody can take back. */
export const NO_CLAIM = 0;

const PUSH_ENTRY_BYTES = 28;
const RESULT_ENTRY_BYTES = 16;

export interface Push {
  slot: number;
  claim: number;
  template: number;
  sequence: number;
  attempt: number;
}

/** Writes one entry; the argument bytes are copied from `args[start, end)`. */
export function writePush(
  connection: Connection,
  channel: number,
  push: Push,
  args: Uint8Array | undefined,
  start: number,
  end: number,
): void {
  connection.openBatch(PUSH_TAG, channel);
  const length = end - start;
  connection.reserve(PUSH_ENTRY_BYTES + length);
  const { slab, position: at } = connection;
  slab.writeUInt32LE(push.slot, at);
  slab.writeInt32LE(push.claim, at + 4);
  slab.writeUInt32LE(push.template, at + 8);
  slab.writeDoubleLE(push.sequence, at + 12);
  slab.writeUInt32LE(push.attempt, at + 20);
  slab.writeUInt32LE(length, at + 24);
  copyBytes(args, start, end, slab, at + PUSH_ENTRY_BYTES);
  connection.position = at + PUSH_ENTRY_BYTES + length;
}

export interface PushHandler {
  pushed(channel: number, push: Push, bytes: Buffer, start: number, end: number): void;
  /** All entries of one frame, so many, have been handed over. */
  frameDone(channel: number, count: number): void;
}

/** Reads a push frame. `push` is reused: the handler copies what it keeps. */
export function readPushes(bytes: Buffer, start: number, end: number, handler: PushHandler): void {
  const channel = readChannel(bytes, start, end);
  const push: Push = { slot: 0, claim: 0, template: 0, sequence: 0, attempt: 0 };
  let count = 0;
  let at = start + 4;
  while (at < end) {
    if (at + PUSH_ENTRY_BYTES > end) throw truncated("push");
    push.slot = bytes.readUInt32LE(at);
    push.claim = bytes.readInt32LE(at + 4);
    push.template = bytes.readUInt32LE(at + 8);
    push.sequence = bytes.readDoubleLE(at + 12);
    push.attempt = bytes.readUInt32LE(at + 20);
    const argsStart = at + PUSH_ENTRY_BYTES;
    const argsEnd = argsStart + bytes.readUInt32LE(at + 24);
    if (argsEnd > end) throw truncated("push");
    handler.pushed(channel, push, bytes, argsStart, argsEnd);
    count++;
    at = argsEnd;
  }
  handler.frameDone(channel, count);
}

/** Writes one result (or, with STREAM_ITEM_TAG, one item: then `extra` is its index). */
export function writeResult(
  connection: Connection,
  tag: typeof RESULT_TAG | typeof STREAM_ITEM_TAG,
  channel: number,
  slot: number,
  extra: number,
  status: number,
  payload: Uint8Array | undefined,
  start: number,
  end: number,
): void {
  connection.openBatch(tag, channel);
  const length = end - start;
  connection.reserve(RESULT_ENTRY_BYTES + length);
  const { slab, position: at } = connection;
  slab.writeUInt32LE(slot, at);
  slab.writeUInt32LE(extra, at + 4);
  slab.writeUInt32LE(status, at + 8);
  slab.writeUInt32LE(length, at + 12);
  copyBytes(payload, start, end, slab, at + RESULT_ENTRY_BYTES);
  connection.position = at + RESULT_ENTRY_BYTES + length;
}

export type ResultHandler = (
  channel: number,
  slot: number,
  extra: number,
  status: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** Reads a frame of results or items. @returns the channel */
export function readResults(bytes: Buffer, start: number, end: number, handler: ResultHandler): number {
  const channel = readChannel(bytes, start, end);
  let at = start + 4;
  while (at < end) {
    if (at + RESULT_ENTRY_BYTES > end) throw truncated("result");
    const payloadStart = at + RESULT_ENTRY_BYTES;
    const payloadEnd = payloadStart + bytes.readUInt32LE(at + 12);
    if (payloadEnd > end) throw truncated("result");
    handler(channel, bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8), bytes, payloadStart, payloadEnd);
    at = payloadEnd;
  }
  return channel;
}

function readChannel(bytes: Buffer, start: number, end: number): number {
  if (start + 4 > end) throw truncated("hot");
  return bytes.readUInt32LE(start);
}

function truncated(what: string): RaiaError {
  return new RaiaError("PROTOCOL", { reason: `truncated ${what} frame` });
}

/** Small payloads byte by byte: calling into the runtime's copy costs more than the bytes. */
function copyBytes(source: Uint8Array | undefined, start: number, end: number, target: Buffer, at: number): void {
  if (source === undefined) return;
  const length = end - start;
  if (length > 48) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number;
}
