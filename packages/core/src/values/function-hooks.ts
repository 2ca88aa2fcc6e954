/** What the layers above put in when functions are sent and received, and what they get told. */

export interface ValueHooks {
  /**
   * Recognises a branded value (an ObjectRef, an ActorHandle, a remote function, an instance of a registered class) and gives what
   * travels instead; undefined for everything else. Asked about every object and function before anything looks inside, at
   * least once and possibly again, so it must be quick and give an equal answer each time.
   *
   * The payload may hold functions and further branded values: they become part of the same shipment. A remote function gives
   * its plain function in the payload, `{ kind: "remote", payload: { fn, options } }`, and so a function that captures its own
   * handle, or two that capture each other's, simply form a cycle.
   */
  replace(value: object): { readonly kind: string; readonly payload: unknown } | undefined;
  /**
   * The inverse of `replace` on the receiving side. The payload is complete but for one thing: a function in it exists and has
   * its identity, but must not be called before loading has ended.
   */
  revive(kind: string, payload: unknown): unknown;
  /**
   * Takes captured bytes of more than 100 KiB out of the shipment (to the object store). Synchronous: copies before it returns.
   *
   * @returns plain data from which `loadLarge` finds the bytes again
   */
  storeLarge?(bytes: Uint8Array): unknown;
  /** @returns the bytes that `storeLarge` took, aligned to 8; memory of the store may be handed out directly */
  loadLarge?(stored: unknown): Promise<Uint8Array> | Uint8Array;
  /** Told when the captures of a function exceed 10 MiB. */
  warn?(warning: LargeCaptureWarning): void;
}

export interface LargeCaptureWarning {
  readonly function: string;
  readonly bytes: number;
  /** Largest first. */
  readonly captures: readonly CaptureSize[];
}

export interface CaptureSize {
  /** From the function to the captured variable: `handler -> table`. */
  readonly path: string;
  readonly bytes: number;
}

/** Why something cannot be sent, and what can be done instead. */
export interface Obstruction {
  readonly reason: string;
  readonly wayOut: string;
  /** `file:line:column`, counted from 1. */
  readonly location?: string;
}

export interface FunctionProblem extends Obstruction {
  /** From the function to what stands in the way: `handler -> pool -> socket`. */
  readonly path: string;
}
