/**
 * The packed form as a whole: a header, what value-encoder.ts writes of the value, and the binary parts that it met.
 *
 *   u8 tag.packed | u8 version | u32 body length | u32 where the table of parts begins     (all from the tag on)
 *   values: the root, then the contents that were put off, in order
 *   table of parts (value-memory.ts)
 *   the parts, each on its boundary, zeros between
 */
import { ByteWriter } from "../base/byte-writer.ts";
import { ValueEncoder } from "./value-encoder.ts";
import type { EncodedValue, ValueHooks } from "./value-hooks.ts";
import { alignPart, MemoryWriter } from "./value-memory.ts";
import { unserializable } from "./value-obstacle.ts";
import { tag } from "./value-tags.ts";

export const PACKED_VERSION = 1;
export const HEADER_BYTES = 10;

/** Larger bodies keep the buffer they were written in; smaller ones are copied out of a common one. */
const COPIED_UP_TO_BYTES = 64 * 1024;
let scratch: ByteWriter | undefined;

/** @throws {RaiaError} UNSERIALIZABLE with the path, and whatever RaiaError a hook throws */
export function encodePacked(value: unknown, hooks: ValueHooks): EncodedValue {
  // A hook, codec or getter may encode a value of its own meanwhile: it finds no common writer and makes one.
  const writer = scratch ?? new ByteWriter(1024);
  scratch = undefined;
  writer.reset();
  try {
    const memory = new MemoryWriter();
    writer.u8(tag.packed);
    writer.u8(PACKED_VERSION);
    writer.u32(0);
    writer.u32(0);
    new ValueEncoder(writer, hooks, memory).write(value);
    const table = writer.position;
    memory.finish(writer);
    writer.buffer.writeUInt32LE(writer.position, 2);
    writer.buffer.writeUInt32LE(table, 6);
    const isKept = writer.position > COPIED_UP_TO_BYTES;
    const body = isKept ? writer.buffer.subarray(0, writer.position) : writer.take();
    if (!isKept) scratch = writer;
    return { body, parts: memory.parts, byteLength: packedLength(body.length, memory.parts) };
  } catch (error) {
    throw unserializable(value, error);
  }
}

function packedLength(bodyLength: number, parts: readonly Uint8Array[]): number {
  let at = bodyLength;
  for (const part of parts) at = alignPart(at, part.length) + part.length;
  return at;
}

/** Copies body and parts to where they belong. `target` has at least `byteLength` bytes; each of them is written. */
export function packInto({ body, parts }: EncodedValue, target: Uint8Array): void {
  target.set(body, 0);
  let at = body.length;
  for (const part of parts) {
    const start = alignPart(at, part.length);
    // Recycled memory may hold what somebody else wrote.
    if (start > at) target.fill(0, at, start);
    target.set(part, start);
    at = start + part.length;
  }
}
