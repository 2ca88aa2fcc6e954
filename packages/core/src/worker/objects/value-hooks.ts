/**
 * What Raia itself puts into values: refs, actor handles, remote functions. Encoding notes every reference that a value
 * mentions, so that it can be held while the value is under way; decoding notes every borrow that its owner does not know
 * of yet. Encoding and decoding are synchronous, so the notes of one cannot mix with another's.
 */
import { RaiaError } from "../../base/errors.ts";
import type { RefAddress } from "../../messages/common.ts";
import type { ValueHooks as FunctionHooks } from "../../values/function-hooks.ts";
import type { ValueHooks } from "../../values/value-codec.ts";
import { type CaptureStore, warnOfLargeCaptures } from "./large-captures.ts";
import type { ObjectEntry } from "./object-entry.ts";
import { brand, ObjectRef } from "./object-ref.ts";
import type { ReferenceTable } from "./references.ts";

export interface EncodeScope {
  /** Entries that the value mentions, each once for each mention. */
  readonly entries: ObjectEntry[];
  /** What must be true before a receiver can read it: code that control must hold. */
  readonly exports: Promise<void>[];
  end(): void;
}

export interface DecodeScope {
  readonly fresh: ObjectEntry[];
  end(): void;
}

/** How one kind of branded value travels. */
export interface BrandCodec {
  replace(value: object, scope: EncodeScope, hooks: RuntimeValueHooks): unknown;
  revive(payload: unknown, scope: DecodeScope, hooks: RuntimeValueHooks): unknown;
  /** The same inside the captures of a function, where the payload may hold functions. Absent: no difference. */
  replaceCaptured?(value: object, scope: EncodeScope, hooks: RuntimeValueHooks): unknown;
  reviveCaptured?(payload: unknown, scope: DecodeScope, hooks: RuntimeValueHooks): unknown;
}

export class RuntimeValueHooks implements ValueHooks {
  readonly table: ReferenceTable;
  readonly #codecs = new Map<string, BrandCodec>();
  #captureStore: CaptureStore | undefined;
  #encoding: EncodeScope | undefined;
  #decoding: DecodeScope | undefined;

  constructor(table: ReferenceTable) {
    this.table = table;
    this.addCodec("ref", refCodec);
  }

  addCodec(kind: string, codec: BrandCodec): void {
    this.#codecs.set(kind, codec);
  }

  beginEncode(): EncodeScope {
    const outer = this.#encoding;
    const scope: EncodeScope = { entries: [], exports: [], end: () => void (this.#encoding = outer) };
    this.#encoding = scope;
    return scope;
  }

  beginDecode(): DecodeScope {
    const outer = this.#decoding;
    const scope: DecodeScope = { fresh: [], end: () => void (this.#decoding = outer) };
    this.#decoding = scope;
    return scope;
  }

  /** Where captured bytes go that are too many to travel with code. */
  useCaptureStore(store: CaptureStore): void {
    this.#captureStore = store;
  }

  /**
   * Hooks for the captures of one function that is sent.
   *
   * @param maySplit false when the code must be whole wherever it is kept: an actor's class may outlive who made it
   */
  capturing(scope: EncodeScope, maySplit: boolean): FunctionHooks {
    const store = maySplit ? this.#captureStore : undefined;
    const storeLarge = (bytes: Uint8Array): unknown => {
      const entry = (store as CaptureStore).put(bytes);
      scope.entries.push(entry);
      return addressToPlain(this.table.addressOf(entry));
    };
    return {
      warn: warnOfLargeCaptures,
      ...(store !== undefined && { storeLarge }),
      replace: (value) => {
        const kind = (value as { readonly [brand]?: unknown })[brand];
        const codec = typeof kind === "string" ? this.#codecs.get(kind) : undefined;
        if (codec === undefined) return undefined;
        return {
          kind: kind as string,
          payload: codec.replaceCaptured === undefined ? codec.replace(value, scope, this) : codec.replaceCaptured(value, scope, this),
        };
      },
      revive: (kind, payload) => this.revive(kind, payload),
    };
  }

  /** Hooks for the captures of one function that is loaded; loading takes several turns. */
  loading(scope: DecodeScope): FunctionHooks {
    return {
      replace: () => undefined,
      loadLarge: async (stored) => (await this.#captureStore?.read(reviveEntry(stored, scope, this))) as Uint8Array,
      revive: (kind, payload) => {
        const codec = this.#codecs.get(kind);
        if (codec === undefined) throw new RaiaError("PROTOCOL", { reason: "unknown kind of value", kind });
        return codec.reviveCaptured === undefined ? codec.revive(payload, scope, this) : codec.reviveCaptured(payload, scope, this);
      },
    };
  }

  replace(value: object): { kind: string; payload: unknown } | undefined {
    const kind = (value as { readonly [brand]?: unknown })[brand];
    if (typeof kind !== "string") return undefined;
    const codec = this.#codecs.get(kind);
    if (codec === undefined || this.#encoding === undefined) return undefined;
    return { kind, payload: codec.replace(value, this.#encoding, this) };
  }

  revive(kind: string, payload: unknown): unknown {
    const codec = this.#codecs.get(kind);
    if (codec === undefined || this.#decoding === undefined) throw new RaiaError("PROTOCOL", { reason: "unknown kind of value", kind });
    return codec.revive(payload, this.#decoding, this);
  }
}

const refCodec: BrandCodec = {
  replace(value, scope, hooks) {
    const entry = ObjectRef.entryOf(value);
    scope.entries.push(entry);
    return addressToPlain(hooks.table.addressOf(entry));
  },
  revive(payload, scope, hooks) {
    return hooks.table.refFor(reviveEntry(payload, scope, hooks));
  },
};

export function addressToPlain(address: RefAddress): readonly [string, string, number] {
  return [address.owner.workerId, address.owner.address, address.sequence];
}

/** The entry that a plain address names; a ref of ours that is gone already fails like a freed one. */
export function reviveEntry(payload: unknown, scope: DecodeScope, hooks: RuntimeValueHooks): ObjectEntry {
  const [workerId, address, sequence] = Array.isArray(payload) ? (payload as unknown[]) : [];
  if (typeof workerId !== "string" || typeof address !== "string" || typeof sequence !== "number") {
    throw new RaiaError("PROTOCOL", { reason: "malformed ref" });
  }
  const entry = hooks.table.resolve({ owner: { workerId, address }, sequence }, scope.fresh);
  if (entry === undefined) throw new RaiaError("UNKNOWN_REF", { owner: workerId.slice(0, 8), sequence });
  return entry;
}
