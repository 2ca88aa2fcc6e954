/** Arguments as they came, to values: what depends on other objects is fetched, what mentions them is borrowed. */
import { objectIdOf } from "../../base/ids.ts";
import { decodeStored, decodeValue, mayHoldRefs } from "../../values/value-codec.ts";
import { unpackPlain } from "../../wire/plain-codec.ts";
import { argumentForm, dependencyForm, WITH_AMBIENT } from "../calls/call-arguments.ts";
import type { ObjectEntry } from "../objects/object-entry.ts";
import type { LargeObjects } from "../objects/object-reader.ts";
import type { RuntimeValueHooks } from "../objects/value-hooks.ts";

export class ArgumentReader {
  readonly #hooks: RuntimeValueHooks;
  readonly #large: LargeObjects;

  constructor(hooks: RuntimeValueHooks, large: LargeObjects) {
    this.#hooks = hooks;
    this.#large = large;
  }

  /** Reads `bytes[start, end)`, as call-arguments wrote it. @param scope the task that reads */
  read(bytes: Buffer, start: number, end: number, scope: object | undefined): unknown[] | Promise<unknown[]> {
    const form = (bytes[start] as number) & ~WITH_AMBIENT;
    if (form === argumentForm.none) return [];
    const isPlain = form === argumentForm.plain;
    const valueStart = isPlain ? start + 1 : start + 5 + bytes.readUInt32LE(start + 1);
    if (isPlain && !mayHoldRefs(bytes, valueStart)) return decodeValue(bytes, valueStart, end, this.#hooks) as unknown[];
    const decode = this.#hooks.beginDecode();
    let args: unknown[];
    try {
      args = decodeValue(bytes, valueStart, end, this.#hooks) as unknown[];
    } finally {
      decode.end();
    }
    if (isPlain && decode.fresh.length === 0) return args;
    const header = isPlain ? [] : (unpackPlain(bytes, start + 5, valueStart) as unknown[][]);
    if (decode.fresh.length === 0 && this.#fillInline(args, header)) return args;
    return this.#fillDependencies(args, header, decode.fresh, scope);
  }

  /** Small values without refs, as most dependencies are, need no waiting. @returns false, having changed nothing that matters, when one does */
  #fillInline(args: unknown[], header: unknown[][]): boolean {
    for (const [index, form, first] of header) {
      const bytes = first as Uint8Array;
      if (form === dependencyForm.stored || mayHoldRefs(bytes, 0)) return false;
      args[index as number] = decodeValue(bytes, 0, bytes.byteLength, this.#hooks);
    }
    return true;
  }

  async #fillDependencies(args: unknown[], header: unknown[][], fresh: ObjectEntry[], scope: object | undefined): Promise<unknown[]> {
    // The caller holds what the arguments mention until the result is back; by then their owners must know of us.
    await this.#hooks.table.borrows.register(fresh);
    await Promise.all(
      header.map(async ([index, form, first, _address, sequence, nodeId, sizeBytes]) => {
        let read: () => unknown;
        if (form === dependencyForm.stored) {
          const objectId = objectIdOf(first as string, sequence as number);
          const memory = await this.#large.read(objectId, { nodeId: nodeId as string, sizeBytes: sizeBytes as number }, scope);
          read = () => decodeStored(memory, this.#hooks);
        } else {
          const value = first as Uint8Array;
          read = () => decodeValue(value, 0, value.byteLength, this.#hooks);
        }
        const decode = this.#hooks.beginDecode();
        try {
          args[index as number] = read();
        } finally {
          decode.end();
        }
        if (decode.fresh.length > 0) await this.#hooks.table.borrows.register(decode.fresh);
      }),
    );
    return args;
  }
}
