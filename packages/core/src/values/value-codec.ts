/**
 * User values as bytes and back: the door of this folder for values.
 *
 * Nearly every argument and result is small and plain and takes the small form, written at once into the caller's buffer. The rest
 * takes the packed form: binary data stays where it is until `packValue` copies it to its final place, once, and `decodeValue`
 * hands it out in place. One format serves both, with one set of tags.
 */
import type { EncodedValue, ValueHooks } from "./value-hooks.ts";
import { encodePacked, packInto } from "./value-packing.ts";
import type { MemoryRange } from "./value-memory.ts";
import { bodyBytesOf, readValue } from "./value-reader.ts";
import { isScalarTag } from "./value-scalars.ts";
import { tag } from "./value-tags.ts";

export type { EncodedValue, ValueHooks } from "./value-hooks.ts";
export { tryEncodeSmall } from "./value-small.ts";

/**
 * Encodes any value. Its binary parts are not copied: they stay in the caller's memory until {@link packValue}.
 *
 * @throws {RaiaError} UNSERIALIZABLE with `path` (`$.user.repo[3]`), `type` and `reason`
 */
export function encodeValue(value: unknown, hooks: ValueHooks): EncodedValue {
  return encodePacked(value, hooks);
}

/**
 * Writes an encoded value to where it stays: parts on boundaries of 64 bytes (8 below 1 KiB) from the start of `target`.
 *
 * @param target has at least `encoded.byteLength` bytes; all of those are written
 */
export function packValue(encoded: EncodedValue, target: Uint8Array): void {
  packInto(encoded, target);
}

/**
 * Reads either form from `bytes[start, end)`. Binary parts are copied, each to a buffer of its own, so that nothing keeps the
 * buffer of a frame alive.
 *
 * @throws {RaiaError} PROTOCOL for bytes that are no value, CODEC_MISSING for a class or library that this process does not have
 */
export function decodeValue(bytes: Uint8Array, start: number, end: number, hooks: ValueHooks): unknown {
  return readValue(bytes, start, end, hooks);
}

/** Where a value is stored: memory that covers just this value and stays as it is. */
export interface ValueMemory {
  readonly byteLength: number;
  /** Its first bytes, or all. */
  readonly head: ArrayBuffer;
  readonly range: MemoryRange;
  /** Nothing but the buffers of ranges is needed any more. */
  close(): void;
}

/**
 * Reads a value in place, and closes its memory: a typed array of 4 KiB and more is a view over the memory of just its part; smaller ones, and an
 * `ArrayBuffer` itself, are copied.
 *
 * @throws {RaiaError} as `decodeValue`
 */
export function decodeStored(memory: ValueMemory, hooks: ValueHooks): unknown {
  const { byteLength, head, range } = memory;
  try {
    const first = new Uint8Array(head);
    const bodyBytes = bodyBytesOf(first, byteLength);
    const bytes = bodyBytes <= first.length ? first : new Uint8Array(range(0, bodyBytes));
    return readValue(bytes, 0, byteLength, hooks, range);
  } finally {
    memory.close();
  }
}

/** Whether the encoded value is a primitive: it has no identity, so one decoded copy serves every reader. */
export function isImmediate(bytes: Uint8Array, start: number, end: number): boolean {
  return start < end && isScalarTag(bytes[start] as number);
}

/** Whether there can be refs in the encoded value: the small form has none, so reading it needs no hooks. */
export function mayHoldRefs(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === tag.packed;
}

/** Reads what {@link isImmediate} is true for. @throws {RaiaError} PROTOCOL */
export function decodeImmediate(bytes: Uint8Array, start: number, end: number): unknown {
  return readValue(bytes, start, end, noHooks);
}

const noHooks: ValueHooks = {
  replace: () => undefined,
  revive: () => undefined,
};
