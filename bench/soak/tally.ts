/** What came out: counts by operation, allowed failures by code, and what was wrong. */

export interface Fault {
  readonly operation: string;
  readonly atSeconds: number;
  readonly kind: "wrong" | "hung";
  readonly text: string;
}

/** More add nothing to what is known; all are counted. */
const MOST_FAULTS_KEPT = 50;

export class Tally {
  readonly operations = new Map<string, number>();
  readonly allowed = new Map<string, number>();
  readonly kills = new Map<string, number>();
  readonly faults: Fault[] = [];
  readonly #spentMs = new Map<string, number>();
  readonly #longestMs = new Map<string, number>();
  faultCount = 0;

  done(operation: string, ms: number): void {
    increment(this.operations, operation);
    this.#spentMs.set(operation, (this.#spentMs.get(operation) ?? 0) + ms);
    this.#longestMs.set(operation, Math.max(this.#longestMs.get(operation) ?? 0, ms));
  }

  meanMs(operation: string): number {
    return (this.#spentMs.get(operation) ?? 0) / (this.operations.get(operation) ?? 1);
  }

  longestMs(operation: string): number {
    return this.#longestMs.get(operation) ?? 0;
  }

  allow(operation: string, code: string): void {
    increment(this.allowed, `${operation}: ${code}`);
  }

  killed(how: string): void {
    increment(this.kills, how);
  }

  fault(fault: Fault): void {
    this.faultCount++;
    if (this.faults.length < MOST_FAULTS_KEPT) this.faults.push(fault);
  }

  get operationCount(): number {
    return sum(this.operations);
  }

  get killCount(): number {
    return sum(this.kills);
  }

  get allowedCount(): number {
    return sum(this.allowed);
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return counts.values().reduce((total, count) => total + count, 0);
}
