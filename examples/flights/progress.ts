/** The actor that hears from every task how far it is, and the one line that shows it. */

/** What a task says when it has finished. Saying it again, having run again, counts once. */
export type Report = {
  /** The first row of its range. */
  readonly task: number;
  readonly rows: number;
  /** The most memory the worker has had so far, in bytes, with the shared columns that it has read. */
  readonly peakBytes: number;
};

/** Keeps the last report of each task. */
export class Progress {
  readonly #reports = new Map<number, Report>();

  report(report: Report): void {
    this.#reports.set(report.task, report);
  }

  reports(): Report[] {
    return [...this.#reports.values()];
  }
}

/** What the driver has heard so far, from an actor that may be shot and start again with nothing. */
export class Ledger {
  readonly #rowsOfTask = new Map<number, number>();
  #largestPeakBytes = 0;

  enter(reports: readonly Report[]): void {
    for (const { task, rows, peakBytes } of reports) {
      this.#rowsOfTask.set(task, Math.max(rows, this.#rowsOfTask.get(task) ?? 0));
      this.#largestPeakBytes = Math.max(this.#largestPeakBytes, peakBytes);
    }
  }

  /** Rows whose tasks have finished at least once: never fewer than before. */
  get rows(): number {
    return this.#rowsOfTask.values().reduce((sum, rows) => sum + rows, 0);
  }

  get largestPeakBytes(): number {
    return this.#largestPeakBytes;
  }
}

export type ProgressView = {
  readonly label: string;
  readonly done: number;
  readonly of: number;
  readonly elapsedMs: number;
  readonly shot: number;
};

/** One line, without colour, about 80 characters wide at most. */
export function progressLine({ label, done, of, elapsedMs, shot }: ProgressView): string {
  const share = of === 0 ? 1 : done / of;
  const bar = "█".repeat(Math.round(share * barWidth)).padEnd(barWidth, "░");
  const perSecond = elapsedMs > 0 ? Math.round((done / elapsedMs) * 1000) : 0;
  const shots = shot === 0 ? "" : `  ${shot} shot`;
  return `${label}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${grouped(perSecond).padStart(10)} rows/s  ${(elapsedMs / 1000).toFixed(1).padStart(5)} s${shots}`;
}

const barWidth = 16;

export function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
