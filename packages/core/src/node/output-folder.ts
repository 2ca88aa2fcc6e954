import type { OutputLine } from "./output-line.ts";

/**
 * Folds equal lines of different workers: the first is shown at once, those of others within a window are counted and shown
 * as one, `[repeated 3x]`. What one worker repeats itself is its own affair and is shown.
 */
export class OutputFolder {
  readonly #seen = new Map<string, Fold>();

  /** @returns the lines to show now, in order: usually this one, or none; with the counts of folds that must make room */
  push(line: OutputLine, nowMs: number): OutputLine[] {
    const fold = this.#seen.get(line.text);
    if (fold === undefined) {
      const shown = line.text === "" ? [] : this.#remember(line, nowMs);
      return [...shown, line];
    }
    if (fold.pid === line.pid) return [line];
    fold.count++;
    fold.last = line;
    return [];
  }

  /** Ends the windows that are over. @returns the counts to show */
  expire(nowMs: number): OutputLine[] {
    const shown: OutputLine[] = [];
    for (const [text, fold] of this.#seen) {
      if (nowMs - fold.atMs < WINDOW_MS) break; // In order of age.
      this.#seen.delete(text);
      shown.push(...countOf(fold));
    }
    return shown;
  }

  /** Ends all windows. */
  flush(): OutputLine[] {
    return this.expire(Number.POSITIVE_INFINITY);
  }

  /** When the oldest window ends; `undefined` when none is open. */
  get nextExpiryMs(): number | undefined {
    for (const fold of this.#seen.values()) return fold.atMs + WINDOW_MS;
    return undefined;
  }

  #remember(line: OutputLine, nowMs: number): OutputLine[] {
    let shown: OutputLine[] = [];
    if (this.#seen.size >= MAX_FOLDS) {
      const [text, oldest] = this.#seen.entries().next().value!;
      this.#seen.delete(text);
      shown = countOf(oldest);
    }
    this.#seen.set(line.text, { pid: line.pid, atMs: nowMs, count: 0, last: line });
    return shown;
  }
}

interface Fold {
  readonly pid: number;
  readonly atMs: number;
  count: number;
  last: OutputLine;
}

const WINDOW_MS = 5_000;
/** Different lines in a window; past it the oldest window ends early and its line may be shown again. 8 MiB at worst. */
const MAX_FOLDS = 1_000;

function countOf({ count, last }: Fold): OutputLine[] {
  return count === 0 ? [] : [{ ...last, text: `${last.text} [repeated ${count}x]` }];
}
