/** Hosts actors in this process, as its node asks. */
import type { Clock } from "../../base/clock.ts";
import { RaiaError } from "../../base/errors.ts";
import type { CreateActor, hostService } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Infer } from "../../wire/schema.ts";
import type { Handlers } from "../../wire/service.ts";
import { type ActorClass, ActorHost, ConstructionContext } from "./actor-host.ts";
import type { ExecutionRuntime } from "./execution-runtime.ts";
import type { Executor } from "./executor.ts";
import { currentContext, inGroup } from "../task-context.ts";
import { shownText } from "../thrown.ts";
import { showDevices } from "./visible-devices.ts";

export class HostServer {
  readonly #runtime: ExecutionRuntime;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #hosts = new Map<string, ActorHost>();

  /** @param runtime for the code of a constructor, which may ask where it is and submit work */
  constructor(runtime: ExecutionRuntime, executor: Executor, clock: Clock) {
    this.#runtime = runtime;
    this.#executor = executor;
    this.#clock = clock;
  }

  /** Actors that live here. */
  get actorIds(): Iterable<string> {
    return this.#hosts.keys();
  }

  hostOf(actorId: string): ActorHost | undefined {
    return this.#hosts.get(actorId);
  }

  /** Ends the actor whose code is running, once the running call is done. */
  exitCurrentActor(): void {
    const host = this.#hosts.get(currentContext()?.actor?.actorId ?? "");
    if (host === undefined) throw new RaiaError("INVALID_ARGUMENT", { call: "exitActor", reason: "no actor's method is running" });
    host.exitRequested = () => {
      this.#runtime.cluster.lease.actorExited({ actorId: host.actorId });
    };
  }

  handlers(): Handlers<typeof hostService, Connection> {
    return {
      createActor: async (request) => {
        try {
          this.#runtime.cluster.job = { jobId: request.jobId, namespace: request.namespace };
          const host = await this.#construct(request);
          this.#hosts.set(request.actorId, host);
          return { ok: true, ...(host.disposes && { disposes: true }) };
        } catch (error) {
          return { ok: false, error: this.#executor.results.encodeThrown(error, request.name), reason: shownText(error) };
        }
      },
      yieldLease: ({ leaseId }) => this.#runtime.yieldLease(leaseId),
      askOwned: () => {
        // It may be about to leave.
        this.#runtime.reportEvents();
        return { owns: this.#runtime.table.exportedCount > 0 };
      },
      reportEvents: () => {
        this.#runtime.reportEvents();
        return {};
      },
      stopActor: async ({ actorId, graceMs }) => {
        const host = this.#hosts.get(actorId);
        if (host !== undefined) {
          await Promise.race([host.end(), new Promise<void>((resolve) => this.#clock.after(graceMs, resolve))]);
          this.#hosts.delete(actorId);
        }
        // Its process may end with it.
        this.#runtime.reportEvents();
        return {};
      },
    };
  }

  async #construct(request: Infer<typeof CreateActor>): Promise<ActorHost> {
    showDevices(request.deviceVariables);
    const Class = (await this.#runtime.functions.load(request.functionHash)) as unknown as ActorClass;
    const args = await this.#executor.args.read(Buffer.from(request.args), 0, request.args.length, undefined);
    const host = new ActorHost(
      {
        actorId: request.actorId,
        name: request.name,
        maxConcurrency: request.maxConcurrency,
        concurrencyGroups: request.concurrencyGroups,
        restarts: request.incarnation - 1,
        accelerators: request.accelerators ?? {},
        resources: request.resources,
        placementGroup: inGroup(request),
      },
      this.#executor,
      this.#clock,
    );
    await host.construct(Class, args, new ConstructionContext(this.#runtime, host, request));
    return host;
  }
}
