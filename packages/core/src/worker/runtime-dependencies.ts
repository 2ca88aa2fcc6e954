/** What a runtime is given: the world it lives in, and what it tells the program around it. */
import type { Clock } from "../base/clock.ts";
import type { Finalizers } from "../base/finalizers.ts";
import type { Random } from "../base/random.ts";
import type { WorkerDemand } from "../messages/common.ts";
import type { Identity } from "../wire/greeting.ts";
import type { Transport } from "../wire/transport.ts";
import type { ClusterAddresses } from "./cluster-link.ts";
import type { FunctionCodec } from "./functions.ts";
import type { StoreOpenerDependencies } from "./objects/store-opener.ts";

export interface RuntimeDependencies extends StoreOpenerDependencies {
  readonly kind: "driver" | "worker";
  readonly identity: Identity;
  /** Where node and control can be dialled, once they answer. */
  readonly cluster: Promise<ClusterAddresses>;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly finalizers: Finalizers;
  /** For ids. Default: the system's. */
  readonly random?: Random;
  /** How functions travel. Default: by module or by source, see values/. */
  readonly functionCodec?: FunctionCodec;
  /** Refuses what this kind of cluster cannot give. */
  readonly checkDemand?: (demand: Omit<WorkerDemand, "jobId">) => void;
  /** The job that this process will get, where that is known before it has joined: the first of a cluster of its own. */
  readonly expectedJobId?: string;
  /** How long to look for an answer before sleeping; see Spinner. Default 0: not at all. */
  readonly spinMs?: number;
  /** Lines that workers of this job printed. */
  showOutput(stream: "stdout" | "stderr", lines: readonly string[]): void;
  /** Shows a line about a failure that nobody looked at. Absent: none is shown. */
  showUnhandled?: ((line: string) => void) | undefined;
  /** Whether work is under way that the process must stay alive for. */
  keepAlive(isNeeded: boolean): void;
  /** The node is gone: nothing can go on. */
  nodeLost(reason: string): void;
}
