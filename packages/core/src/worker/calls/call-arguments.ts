/**
 * Arguments on the wire. They are read at `.remote()`, so that a later change by the caller is not seen. Plain arguments
 * are one encoded array. A ref at the top level is a dependency: its place holds `undefined`, and when the call is pushed
 * a header says what belongs there: the value itself when it is small, else where it is stored.
 *
 *   u8 0                                                      no arguments
 *   u8 1 | encoded array                                      plain
 *   u8 2 | u32 length | msgpack [[index, form, ...], ...] | encoded array      with dependencies
 *
 * With WITH_AMBIENT added to the first byte, the last element is what travels with the call besides its arguments.
 */
import { ByteWriter } from "../../base/byte-writer.ts";
import { RaiaError } from "../../base/errors.ts";
import { encodeValue, packValue, tryEncodeSmall } from "../../values/value-codec.ts";
import { packPlain } from "../../wire/plain-codec.ts";
import type { Ambient } from "../task-context.ts";
import type { Call, Dependency } from "./call.ts";
import { MAX_INLINE_BYTES, type ObjectEntry, objectState, type StoredAt } from "../objects/object-entry.ts";
import { ObjectRef } from "../objects/object-ref.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { EncodeScope, RuntimeValueHooks } from "../objects/value-hooks.ts";

export const argumentForm = { none: 0, plain: 1, withDependencies: 2 } as const;
export const WITH_AMBIENT = 0x80;
export const dependencyForm = { inline: 0, stored: 1, immediate: 2 } as const;

/** The shared buffer of encoded arguments: a slice keeps all of it alive, so it is not large. */
const SLAB_BYTES = 64 * 1024;

export interface EncodedArguments {
  readonly args: Uint8Array;
  readonly argsStart: number;
  readonly argsEnd: number;
  readonly dependencies: Dependency[] | undefined;
  readonly held: ObjectEntry[] | undefined;
  readonly exports: Promise<void>[] | undefined;
}

type FilledCall = Pick<Call, "args" | "argsStart" | "argsEnd" | "dependencies">;

/** Of a detached actor: control keeps them as long as the actor may be made again. */
const MAX_WHOLE_BYTES = 10 * 1024 * 1024;

function tooLarge(bytes: number): RaiaError {
  return new RaiaError("LIMIT_EXCEEDED", { limit: "arguments of a detached actor's constructor", bytes, maxBytes: MAX_WHOLE_BYTES });
}

const NO_ARGUMENTS: EncodedArguments = {
  args: Uint8Array.of(argumentForm.none),
  argsStart: 0,
  argsEnd: 1,
  dependencies: undefined,
  held: undefined,
  exports: undefined,
};

export class ArgumentWriter {
  readonly #table: ReferenceTable;
  readonly #hooks: RuntimeValueHooks;
  /** Puts a large value to the store as an object of ours. */
  readonly #putLarge: (value: unknown) => ObjectEntry;
  #writer = new ByteWriter(SLAB_BYTES);

  constructor(table: ReferenceTable, hooks: RuntimeValueHooks, putLarge: (value: unknown) => ObjectEntry) {
    this.#table = table;
    this.#hooks = hooks;
    this.#putLarge = putLarge;
  }

  /** @param ambient what travels besides */
  encode(args: readonly unknown[], ambient?: Ambient): EncodedArguments {
    if (ambient === undefined) return args.length === 0 ? NO_ARGUMENTS : this.#encode(args, argumentForm.plain);
    return this.#encode([...args, ambient], argumentForm.plain | WITH_AMBIENT);
  }

  #encode(args: readonly unknown[], form: number): EncodedArguments {
    return this.#tryEncodeSmall(args, form) ?? this.#encodeGeneral(args, form);
  }

  #tryEncodeSmall(args: readonly unknown[], form: number): EncodedArguments | undefined {
    if (this.#writer.position > SLAB_BYTES / 2) this.#writer = new ByteWriter(SLAB_BYTES);
    const writer = this.#writer;
    const start = writer.position;
    writer.u8(form);
    if (tryEncodeSmall(writer, args))
      return {
        args: writer.buffer,
        argsStart: start,
        argsEnd: writer.position,
        dependencies: undefined,
        held: undefined,
        exports: undefined,
      };
    writer.position = start;
    return undefined;
  }

  /**
   * Arguments that must be good when this process is gone: whole, whatever their size.
   *
   * @throws {RaiaError} LIMIT_EXCEEDED
   */
  encodeWhole(args: readonly unknown[]): EncodedArguments {
    return args.length === 0 ? NO_ARGUMENTS : this.#encodeGeneral(args, argumentForm.plain, MAX_WHOLE_BYTES);
  }

  #encodeGeneral(args: readonly unknown[], form: number, maxBytes = MAX_INLINE_BYTES): EncodedArguments {
    let dependencies: Dependency[] | undefined;
    const held: ObjectEntry[] = [];
    const plain = args.map((argument, index) => {
      if (!ObjectRef.isRef(argument)) return argument;
      const entry = ObjectRef.entryOf(argument);
      (dependencies ??= []).push({ index, entry });
      held.push(entry);
      return undefined;
    });
    if (dependencies !== undefined) {
      const small = this.#tryEncodeSmall(plain, form);
      if (small !== undefined) {
        for (const entry of held) this.#table.hold(entry);
        return { ...small, dependencies, held };
      }
    }
    const scope = this.#hooks.beginEncode();
    let encoded: ReturnType<typeof encodeValue>;
    try {
      encoded = encodeValue(plain, this.#hooks);
      if (encoded.byteLength > maxBytes) {
        if (maxBytes === MAX_WHOLE_BYTES) throw tooLarge(encoded.byteLength);
        encoded = this.#moveLargeOut(plain, (dependencies ??= []), held, scope);
      }
    } finally {
      scope.end();
    }
    held.push(...scope.entries);
    for (const entry of held) this.#table.hold(entry);
    const buffer = new Uint8Array(1 + encoded.byteLength);
    buffer[0] = form;
    packValue(encoded, buffer.subarray(1));
    return {
      args: buffer,
      argsStart: 0,
      argsEnd: buffer.length,
      dependencies,
      held,
      exports: scope.exports.length > 0 ? scope.exports : undefined,
    };
  }

  /** Puts the arguments that make the call large to the store, the largest first. */
  #moveLargeOut(plain: unknown[], dependencies: Dependency[], held: ObjectEntry[], scope: EncodeScope): ReturnType<typeof encodeValue> {
    plain.forEach((argument, index) => {
      if (typeof argument !== "object" && typeof argument !== "string") return;
      if (argument === null) return;
      if (encodeValue(argument, this.#hooks).byteLength <= MAX_INLINE_BYTES / 8) return;
      const entry = this.#putLarge(argument);
      dependencies.push({ index, entry });
      held.push(entry);
      plain[index] = undefined;
    });
    scope.entries.length = 0;
    return encodeValue(plain, this.#hooks);
  }

  /** The arguments with what the dependencies turned out to be. */
  withDependencies(call: FilledCall): Uint8Array {
    return fill(
      call,
      (call.dependencies as Dependency[]).map((dependency) => this.#describe(dependency)),
    );
  }

  /**
   * The same, with the values themselves in their places.
   *
   * @param values of the dependencies, in their order
   * @throws {RaiaError} LIMIT_EXCEEDED
   */
  withValues(call: FilledCall, values: readonly unknown[]): Uint8Array {
    const header = (call.dependencies as Dependency[]).map(({ index }, at) => [
      index,
      dependencyForm.inline,
      this.#encodeAlone(values[at]),
    ]);
    const bytes = fill(call, header);
    if (bytes.length > MAX_WHOLE_BYTES) throw tooLarge(bytes.length);
    return bytes;
  }

  #encodeAlone(value: unknown): Uint8Array {
    const scope = this.#hooks.beginEncode();
    try {
      const encoded = encodeValue(value, this.#hooks);
      const bytes = new Uint8Array(encoded.byteLength);
      packValue(encoded, bytes);
      return bytes;
    } finally {
      scope.end();
    }
  }

  #describe({ index, entry }: Dependency): unknown[] {
    switch (entry.state) {
      case objectState.value:
        return [index, dependencyForm.immediate, encodeImmediate(entry.payload)];
      case objectState.bytes:
        return [index, dependencyForm.inline, entry.payload];
      default: {
        const stored = entry.payload as StoredAt;
        const { owner, sequence } = this.#table.addressOf(entry);
        return [index, dependencyForm.stored, owner.workerId, owner.address, sequence, stored.nodeId, stored.sizeBytes];
      }
    }
  }
}

function fill(call: FilledCall, dependencies: readonly unknown[][]): Uint8Array {
  const header = packPlain(dependencies);
  const plainLength = call.argsEnd - call.argsStart - 1;
  const bytes = Buffer.allocUnsafe(5 + header.length + plainLength);
  const args = call.args as Uint8Array;
  bytes[0] = argumentForm.withDependencies | ((args[call.argsStart] as number) & WITH_AMBIENT);
  bytes.writeUInt32LE(header.length, 1);
  bytes.set(header, 5);
  bytes.set(args.subarray(call.argsStart + 1, call.argsEnd), 5 + header.length);
  return bytes;
}

function encodeImmediate(value: unknown): Uint8Array {
  const writer = new ByteWriter(64);
  tryEncodeSmall(writer, value);
  return writer.buffer.subarray(0, writer.position);
}
