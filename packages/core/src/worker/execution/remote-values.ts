/** Remote functions and actor classes as values: they may be captured by functions, or sent as arguments. */
import { RaiaError } from "../../base/errors.ts";
import type { AnyFunction } from "../functions.ts";
import { type EncodeScope, type RuntimeValueHooks } from "../objects/value-hooks.ts";

export interface RemoteHandle {
  /** The function or class; of a handle that came inside a value, it is loaded when it is first called. */
  readonly source: { readonly fn: AnyFunction } | { readonly hash: string; readonly name: string; readonly traits: Traits };
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Traits {
  readonly isGenerator: boolean;
  readonly isClass: boolean;
  readonly asyncMethodNames: readonly string[];
}

/** Wired by the API layer: how a handle is looked into and made. */
export interface RemoteHandles {
  open(value: object): RemoteHandle;
  make(handle: RemoteHandle): object;
  /** The code's hash, with the promise that control holds it. */
  export(value: object): { hash: string; name: string; traits: Traits; exported: Promise<void> | undefined };
}

export function addRemoteCodec(hooks: RuntimeValueHooks, kind: "function" | "class", handles: RemoteHandles): void {
  hooks.addCodec(kind, {
    replace(value: object, scope: EncodeScope) {
      const { hash, name, traits, exported } = handles.export(value);
      if (exported !== undefined) scope.exports.push(exported);
      return { hash, name, traits, options: handles.open(value).options };
    },
    revive(payload) {
      const { hash, name, traits, options } = payload as { hash: string; name: string; traits: Traits; options: Record<string, unknown> };
      if (typeof hash !== "string") throw new RaiaError("PROTOCOL", { reason: "malformed remote function" });
      return handles.make({ source: { hash, name, traits }, options });
    },
    replaceCaptured(value) {
      const handle = handles.open(value);
      return { ...handle.source, options: handle.options };
    },
    reviveCaptured(payload) {
      const { options, ...source } = payload as { options: Record<string, unknown> } & RemoteHandle["source"];
      return handles.make({ source, options });
    },
  });
}
