/** Finds the values that go into a function's graph whole, because V8 encodes them by itself without loss. */
import { plainInside } from "./function-plain.ts";

/** Nested deeper, a value is taken apart: V8's encoder calls itself for each level and would run out of stack at some thousands. */
const MAX_WHOLE_DEPTH = 1000;

/** Objects looked at in vain before the search for values that can go in whole is given up; it keeps long impure chains linear. */
const MAX_FAILED_STEPS = 2_000_000;

export class WholeValues {
  readonly #isApart: (value: object) => boolean;
  /** Objects inside values that go in whole; met again they go in whole too, and V8 keeps them one. */
  readonly #embedded = new Set<object>();
  #failedSteps = 0;

  /** @param isApart whether an object inside a value is a node of its own, so that the value cannot go in whole */
  constructor(isApart: (value: object) => boolean) {
    this.#isApart = isApart;
  }

  /**
   * Looks at `root` and all it reaches, in one pass; no getter is run.
   *
   * @returns an estimate of its bytes, 0 for what is inside a value that went in before; undefined when it must be taken apart
   */
  bytesOf(root: object): number | undefined {
    if (this.#embedded.has(root)) return 0;
    if (this.#failedSteps > MAX_FAILED_STEPS) return undefined;
    const seen = new Set<object>();
    const pending: object[] = [root];
    const depths = [0];
    let bytes = 0;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const depth = depths.pop() as number;
      if (seen.has(at) || this.#embedded.has(at)) continue;
      seen.add(at);
      const inside = at !== root && this.#isApart(at) ? undefined : plainInside(at);
      if (inside === undefined || depth > MAX_WHOLE_DEPTH) {
        this.#failedSteps += seen.size;
        return undefined;
      }
      bytes += 16;
      // In reverse, so that depths are those of V8's own walk.
      for (const value of inside.reverse()) {
        if (typeof value === "object" && value !== null) {
          pending.push(value);
          depths.push(depth + 1);
        } else bytes += typeof value === "string" ? value.length : 8;
      }
    }
    for (const object of seen) this.#embedded.add(object);
    return bytes;
  }
}
