/** Values as bytes, for tests. */
import { encodeValue, packValue, type ValueHooks, type ValueMemory } from "./value-codec.ts";

export const noHooks: ValueHooks = { replace: () => undefined, revive: () => undefined };

/** The packed bytes in memory that begins on a page, as in the store, and that held something else before. */
export function packed(value: unknown, hooks = noHooks): Uint8Array {
  const encoded = encodeValue(value, hooks);
  const bytes = new Uint8Array(encoded.byteLength).fill(0xee);
  packValue(encoded, bytes);
  return bytes;
}

/** As a store gives it: the first bytes, and a buffer for each range that is asked for. */
export function memoryOf(bytes: Uint8Array, headBytes = 64): ValueMemory & { gave(buffer: ArrayBufferLike): boolean } {
  const buffers = new Map<string, ArrayBuffer>();
  const range = (start: number, byteLength: number): ArrayBuffer => {
    const key = `${start}:${byteLength}`;
    const buffer = buffers.get(key) ?? new Uint8Array(bytes.subarray(start, start + byteLength)).buffer;
    buffers.set(key, buffer);
    return buffer;
  };
  const gave = (buffer: ArrayBufferLike): boolean => [...buffers.values()].some((given) => given === buffer);
  return { byteLength: bytes.length, head: range(0, Math.min(headBytes, bytes.length)), range, gave, close: () => {} };
}
