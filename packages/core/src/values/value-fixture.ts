/** Values as bytes, for tests. */
import { encodeValue, packValue, type ValueHooks } from "./value-codec.ts";

export const noHooks: ValueHooks = { replace: () => undefined, revive: () => undefined };

/** The packed bytes in memory that begins on a page, as in the store, and that held something else before. */
export function packed(value: unknown, hooks = noHooks): Uint8Array {
  const encoded = encodeValue(value, hooks);
  const bytes = new Uint8Array(encoded.byteLength).fill(0xee);
  packValue(encoded, bytes);
  return bytes;
}
