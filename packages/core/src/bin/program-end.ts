/** What a driver does when its program ends by itself, without shutdown(): nothing is left that would keep it going. */
import type { ClusterLink } from "../worker/cluster-link.ts";

export class ProgramEnd {
  readonly #cluster: ClusterLink;
  readonly #listener = (): void => void this.#reached();
  #hasWorked = false;
  #hasDisposed = false;

  constructor(cluster: ClusterLink) {
    this.#cluster = cluster;
    process.on("beforeExit", this.#listener);
  }

  worked(): void {
    this.#hasWorked = true;
  }

  /**
   * What tasks printed last is shown. Then, if no listener of the program has begun new work meanwhile, actors dispose of
   * themselves. Each keeps the program alive until it is done, and it reaches its end anew.
   */
  async #reached(): Promise<void> {
    if (!this.#cluster.isJoined || this.#cluster.isLeaving) return;
    if (!this.#hasWorked) {
      if (this.#hasDisposed) return;
      this.#hasDisposed = true;
      await this.#cluster.disposeActors();
    }
    this.#hasWorked = false;
    await this.#cluster.flushOutput();
  }

  /** shutdown() does the same. */
  cancel(): void {
    process.removeListener("beforeExit", this.#listener);
  }
}
