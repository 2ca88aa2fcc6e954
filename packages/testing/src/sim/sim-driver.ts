/** One driver of a simulated cluster: a process of its own, whose program runs in the context of its runtime. */
import { runInContext, type ProcessShell, type TaskContext, type World, type WorkerRuntime } from "@raia/core/internal";
import type { SimProgram } from "./sim-program.ts";

/** The namespace that all drivers of a simulation share, so that they meet in named actors. */
const NAMESPACE = "simulation";

export class SimDriver {
  readonly runtime: WorkerRuntime;
  readonly shell: ProcessShell;
  readonly program: SimProgram;
  readonly #context: TaskContext;
  readonly #killed = Promise.withResolvers<void>();
  state: "running" | "done" | "left" | "killed" = "running";

  constructor(world: World, program: SimProgram, lost: (driver: SimDriver) => void) {
    const { runtime, shell } = world.newDriver(() => lost(this));
    this.runtime = runtime;
    this.shell = shell;
    this.program = program;
    this.#context = new DriverContext(runtime);
  }

  /** Settles when its program is done, or it was killed. */
  async run(): Promise<void> {
    const running = runInContext(this.#context, async () => {
      await this.runtime.join({ entrypoint: "simulation", namespace: NAMESPACE });
      await this.program.run();
    });
    await Promise.race([running, this.#killed.promise]);
    if (this.state === "running") this.state = "done";
  }

  /** As `shutdown()` and the end of its process. */
  async leave(): Promise<void> {
    if (this.state !== "done") return;
    await Promise.race([this.runtime.shutdown(), this.#killed.promise]);
    if (this.state !== "done") return;
    this.state = "left";
    this.shell.end();
  }

  /** As `kill -9`. */
  kill(): void {
    if (this.state === "left" || this.state === "killed") return;
    this.state = "killed";
    this.shell.end();
    this.runtime.drop();
    this.#killed.resolve();
  }
}

/** The code of a driver is no task; in a process that several drivers share it must be known whose it is all the same. */
class DriverContext implements TaskContext {
  readonly runtime: WorkerRuntime;
  readonly taskId = "";
  readonly name = "driver";
  readonly attempt = 0;
  readonly resources = {};
  readonly accelerators = {};
  readonly actor = undefined;
  readonly placementGroup = undefined;
  readonly ambient = undefined;
  readonly waits = { waitBegan: (): void => {}, waitEnded: (): undefined => undefined };
  readonly signal = new AbortController().signal;
  readonly awaited = new Set<readonly object[]>();

  constructor(runtime: WorkerRuntime) {
    this.runtime = runtime;
  }

  get jobId(): string {
    return this.runtime.cluster.job.jobId;
  }

  get namespace(): string {
    return this.runtime.cluster.job.namespace;
  }

  childSubmitted(): undefined {}
}
