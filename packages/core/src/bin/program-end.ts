/** What a driver does when its program ends by itself, without shutdown(): nothing is left that would keep it going. */
import type { WorkerRuntime } from "../worker/worker-runtime.ts";

export class ProgramEnd {
  readonly #runtime: WorkerRuntime;
  readonly #listener = (): void => void this.#reached();
  readonly #exited = (): void => this.#leave();
  #hasWorked = false;
  #hasDisposed = false;

  constructor(runtime: WorkerRuntime) {
    this.#runtime = runtime;
    process.on("beforeExit", this.#listener);
    process.on("exit", this.#exited);
  }

  worked(): void {
    this.#hasWorked = true;
  }

  /**
   * What tasks printed last is shown, and what became of them is told. Then, if no listener of the program has begun new work meanwhile, actors dispose of
   * themselves. Each keeps the program alive until it is done, and it reaches its end anew.
   */
  async #reached(): Promise<void> {
    const { cluster } = this.#runtime;
    if (!cluster.isJoined || cluster.isLeaving) return;
    if (!this.#hasWorked) {
      if (this.#hasDisposed) return;
      this.#hasDisposed = true;
      await cluster.disposeActors();
    }
    this.#hasWorked = false;
    await cluster.flush(() => this.#runtime.reportEvents());
  }

  /** It was ended by `process.exit()`, or by an error: nothing can be waited for, but what is written now arrives. */
  #leave(): void {
    const { cluster } = this.#runtime;
    if (!cluster.isJoined || cluster.isLeaving || !cluster.isControlThere) return;
    this.#runtime.reportEvents();
    cluster.flushControl();
  }

  /** shutdown() does the same. */
  cancel(): void {
    process.removeListener("beforeExit", this.#listener);
    process.removeListener("exit", this.#exited);
  }
}
