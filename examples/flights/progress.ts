/** The actor that hears from every task how far it is, and the one line that shows it. */

/** What one finished task says. Telling it twice (a task that ran again) counts once. */
export type Report = {
  readonly task: string;
  readonly rows: number;
  readonly pid: number;
  /** The most memory the worker has had so far, in bytes, with the shared columns that it has read. */
  readonly peakBytes: number;
};

export type Tally = {
  /** Row visits done: each row is visited once to count and once to resample. */
  readonly rows: number;
  readonly tasks: number;
  readonly workerPids: readonly number[];
  readonly largestPeakBytes: number;
  /** Changes when the actor was restarted and has forgotten. */
  readonly actorPid: number;
};

export class Progress {
  readonly #rowsOfTask = new Map<string, number>();
  readonly #peakBytesOfPid = new Map<number, number>();

  report({ task, rows, pid, peakBytes }: Report): void {
    this.#rowsOfTask.set(task, rows);
    this.#peakBytesOfPid.set(pid, peakBytes);
  }

  tally(): Tally {
    return {
      rows: [...this.#rowsOfTask.values()].reduce((sum, rows) => sum + rows, 0),
      tasks: this.#rowsOfTask.size,
      workerPids: [...this.#peakBytesOfPid.keys()],
      largestPeakBytes: Math.max(0, ...this.#peakBytesOfPid.values()),
      actorPid: process.pid,
    };
  }
}

/** Keeps the count from falling back when the actor's worker was shot: what was seen before is added to what it says now. */
export class SteadyCount {
  #base = 0;
  #shown = 0;
  #actorPid: number | undefined;

  /** @returns row visits done so far, never less than before and never more than `most` */
  next(tally: Tally, most: number): number {
    if (this.#actorPid !== undefined && tally.actorPid !== this.#actorPid) this.#base = this.#shown;
    this.#actorPid = tally.actorPid;
    this.#shown = Math.min(most, Math.max(this.#shown, this.#base + tally.rows));
    return this.#shown;
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
