/** What the layers above put into values, and what encoding gives them. */

export interface ValueHooks {
  /**
   * Called for each object or function that carries the property `Symbol.for("raia.brand")`, before anything looks inside.
   *
   * @returns what travels instead (`payload` is a plain value, and may hold further branded ones), or undefined to go on as without brand
   */
  replace(value: object): { readonly kind: string; readonly payload: unknown } | undefined;
  /** The inverse of `replace` on the receiving side. */
  revive(kind: string, payload: unknown): unknown;
}

/** A value in the packed form. Its binary parts are still in the memory of whoever encoded it: pack it before that changes. */
export interface EncodedValue {
  readonly body: Uint8Array;
  readonly parts: readonly Uint8Array[];
  /** Of the packed value: body, parts and what is between them. */
  readonly byteLength: number;
}
