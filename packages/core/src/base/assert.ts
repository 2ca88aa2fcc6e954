/** Bugs are assertions. They stay on in production: a wrong state must stop here, not be saved or sent on. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

/** Marks code that the types prove unreachable; reached anyway, it names the value. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}
