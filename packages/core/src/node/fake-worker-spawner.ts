import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { classifyDeath, type DeathFacts, type KillReason, startFailed } from "./death-cause.ts";
import { StderrTail } from "./stderr-tail.ts";
import type { KillSignal, WorkerEvents, WorkerProcess, WorkerSpawner, WorkerSpec } from "./worker-process.ts";

/** Processes that exist in name only: a test or the simulator says what they write and when they die. */
export class FakeWorkerSpawner implements WorkerSpawner {
  readonly processes: FakeWorkerProcess[] = [];
  /** When set, every start fails so. */
  startErrorCode: string | undefined;
  readonly #clock: Clock;
  #nextPid = 1000;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  spawn(spec: WorkerSpec, events: WorkerEvents): FakeWorkerProcess {
    const child = new FakeWorkerProcess(this.#clock, this.startErrorCode === undefined ? this.#nextPid++ : undefined, spec, events);
    this.processes.push(child);
    if (this.startErrorCode !== undefined) child.failStart(this.startErrorCode);
    return child;
  }
}

class FakeWorkerProcess implements WorkerProcess {
  readonly pid: number | undefined;
  readonly spec: WorkerSpec;
  /** Signals received, in order. */
  readonly signals: KillSignal[] = [];
  /** What `sampleMemory` reads. */
  privateBytes: number | undefined;
  /** A process that ignores SIGTERM. */
  isStubborn = false;
  readonly #clock: Clock;
  readonly #events: WorkerEvents;
  readonly #tail = new StderrTail();
  #isAlive: boolean;
  #requested: DeathFacts["requested"];

  constructor(clock: Clock, pid: number | undefined, spec: WorkerSpec, events: WorkerEvents) {
    this.#clock = clock;
    this.pid = pid;
    this.spec = spec;
    this.#events = events;
    this.#isAlive = pid !== undefined;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  failStart(errorCode: string): void {
    this.#clock.soon(() => this.#events.onDeath(startFailed(errorCode)));
  }

  write(stream: "stdout" | "stderr", text: string): void {
    assert(this.#isAlive, "a dead process writes nothing");
    const chunk = Buffer.from(text);
    if (stream === "stderr") this.#tail.push(chunk);
    this.#events.onOutput(stream, chunk);
  }

  kill(signal: KillSignal, reason: KillReason): void {
    if (!this.#isAlive) return;
    this.signals.push(signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    this.#requested = { reason, signal };
    if (signal === "SIGKILL" || !this.isStubborn) this.die({ signal });
  }

  killGroup(signal: KillSignal, reason: KillReason): void {
    this.kill(signal, reason);
  }

  sampleMemory(): number | undefined {
    return this.privateBytes;
  }

  /** Ends the process; its death is told in a later turn, as a real one's. */
  die({ exitCode = null, signal = null, kernelKilled = false }: Partial<Pick<DeathFacts, "exitCode" | "signal" | "kernelKilled">>): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    const { pid, privateBytes: lastBytes } = this;
    const cause = classifyDeath({
      pid,
      exitCode,
      signal,
      kernelKilled,
      lastBytes,
      requested: this.#requested,
      stderrTail: this.#tail.lines(),
    });
    this.#clock.soon(() => this.#events.onDeath(cause));
  }
}
