/**
 * The one codec of messages: plain msgpack without shared structures, so every frame can be read by itself. The package's
 * main entry would load a native addon that speeds up strings, at 10 ms of every process start; this entry does not.
 */
import type { Options, Packr } from "msgpackr";
import * as portable from "msgpackr/pack";

interface Codec {
  pack(value: unknown): Buffer;
  unpack(bytes: Uint8Array): unknown;
}

const { Packr: PortablePackr } = portable as unknown as { readonly Packr: new (options: Options) => Packr };

export const packr: Codec = new PortablePackr({ useRecords: false, int64AsType: "number", mapsAsObjects: true });
