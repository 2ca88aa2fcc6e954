/** Tells people of failures that nobody looked at: the first at once, and those that follow in one line after a while. */
import type { Clock } from "../../base/clock.ts";

/** At most two lines in this time. */
export const FOLD_MS = 10_000;
/** Names in one line. */
const MAX_NAMES = 5;
const MAX_ERROR_CHARS = 300;

export class UnhandledErrors {
  readonly #clock: Clock;
  readonly #print: (line: string) => void;
  readonly #more = new Map<string, number>();
  #isFolding = false;

  constructor(clock: Clock, print: (line: string) => void) {
    this.#clock = clock;
    this.#print = print;
  }

  /** @param name of the function or method */
  add(name: string, error: unknown): void {
    if (this.#isFolding) {
      this.#more.set(name, (this.#more.get(name) ?? 0) + 1);
      return;
    }
    this.#print(
      `raia: ${name} failed, and nobody looked at its error: ${textOf(error)} (get its ref to handle it; init({ warnUnhandledErrors: false }) hides this)`,
    );
    this.#fold();
  }

  #fold(): void {
    this.#isFolding = true;
    this.#clock.after(FOLD_MS, () => {
      this.#isFolding = false;
      if (this.#more.size === 0) return;
      const names = [...this.#more].sort(([, a], [, b]) => b - a);
      const count = names.reduce((sum, [, times]) => sum + times, 0);
      const shown = names.slice(0, MAX_NAMES).map(([name, times]) => `${name} ${times}`);
      if (names.length > MAX_NAMES) shown.push("others");
      this.#more.clear();
      this.#print(`raia: ${count} more calls failed, and nobody looked at their errors: ${shown.join(", ")}`);
      this.#fold();
    });
  }
}

/** One line. */
function textOf(error: unknown): string {
  let text: string;
  try {
    text = String(error);
  } catch {
    // What user code throws need not be convertible.
    text = typeof error;
  }
  const [line = ""] = text.split("\n");
  return line.length > MAX_ERROR_CHARS ? `${line.slice(0, MAX_ERROR_CHARS)}...` : line;
}
