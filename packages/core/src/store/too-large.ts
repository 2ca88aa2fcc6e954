/** An object that fits no empty store: to free memory, or to wait, would not help. */
import { RaiaError } from "../base/errors.ts";

export function tooLarge(bytes: number, capacityBytes: number): RaiaError {
  return new RaiaError("STORE_FULL", {
    reason: "the object itself is larger than the whole store (objectStoreMemory)",
    requestedBytes: bytes,
    capacityBytes,
    wayOut: "make it in parts, or raise objectStoreMemory above its size",
  });
}
