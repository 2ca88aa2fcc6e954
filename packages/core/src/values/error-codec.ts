/**
 * What user code threw, to bytes and back: the same class where it can be had, own properties and cause kept, and a stack
 * that shows the remote frames, where they ran, and then the caller's.
 */
import { RaiaError } from "../base/errors.ts";
import { decodeValue, encodeValue, packValue, type ValueHooks } from "./value-codec.ts";
import { classNamesOf } from "./value-graph-encoder.ts";

export interface ThrownAt {
  readonly task: string;
  readonly pid: number;
  readonly node: string;
}

/** `u32 length | names of the class and its ancestors, one a line | encoded { thrown, place }`. */
export function encodeError(error: unknown, hooks: ValueHooks, place: ThrownAt): Uint8Array {
  const names = typeof error === "object" && error !== null ? classNamesOf(error) : [typeof error];
  const encoded = encodeValue({ thrown: error, place }, hooks);
  const header = Buffer.from(names.join("\n"), "utf8");
  const bytes = Buffer.allocUnsafeSlow(4 + header.length + encoded.byteLength);
  bytes.writeUInt32LE(header.length, 0);
  header.copy(bytes, 4);
  packValue(encoded, bytes.subarray(4 + header.length));
  return bytes;
}

/** Names of the error's class and its ancestors, most specific first. */
export function errorNameOf(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset + 4, headerLength(bytes)).toString("utf8").split("\n");
}

function headerLength(bytes: Uint8Array): number {
  const length = bytes.byteLength < 4 ? Number.NaN : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (!(4 + length <= bytes.byteLength)) throw new RaiaError("PROTOCOL", { reason: "not an encoded error" });
  return length;
}

/** What `get` rejects with. */
export function reviveError(bytes: Uint8Array, hooks: ValueHooks, callSite: Error | undefined): unknown {
  const start = 4 + headerLength(bytes);
  const decoded = decodeValue(bytes, start, bytes.byteLength, hooks, false) as { thrown?: unknown; place?: ThrownAt };
  const { thrown, place } = decoded;
  if (thrown instanceof Error && place !== undefined) stitchStack(thrown, place, callSite);
  return thrown;
}

/** Remote frames, a line that says where they ran, the caller's frames. */
function stitchStack(error: Error, { task, node, pid }: ThrownAt, callSite: Error | undefined): void {
  const callers = callSite?.stack?.split("\n").slice(1).join("\n");
  const stack = `${error.stack ?? `${error.name}: ${error.message}`}\n    --- remote task ${task} @${node} pid ${pid} ---${callers ? `\n${callers}` : ""}`;
  Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
}

