/** Structures that several services share. */
import { bool, dict, type Infer, i32, list, oneOf, opt, plain, str, struct, u32, u53 } from "../wire/schema.ts";
import { message } from "../wire/service.ts";

/** The answer of a call that has nothing to say but "done". */
export const Done = message(10, "Done", {});

/** Resource name to quantity in units of 1e-4. */
export const Quantities = dict(u53);
export type Quantities = Infer<typeof Quantities>;

/** A process that holds objects: its id, and where its owner service can be dialled. */
export const OwnerAddress = struct("OwnerAddress", { workerId: str, address: str });
export type OwnerAddress = Infer<typeof OwnerAddress>;

/** Names an object anywhere: its owner and the owner's number for it. */
export const RefAddress = struct("RefAddress", { owner: OwnerAddress, sequence: u53 });
export type RefAddress = Infer<typeof RefAddress>;

/** Why a process ended, for programs to read. `kind` is one of the words of node/death-cause.ts. */
export const DeathCause = struct("DeathCause", {
  kind: str,
  signal: opt(str),
  exitCode: opt(i32),
  pid: opt(u53),
  facts: opt(plain),
  stderrTail: opt(list(str)),
});
export type DeathCause = Infer<typeof DeathCause>;

export const Strategy = struct("Strategy", {
  kind: oneOf("DEFAULT", "SPREAD", "NODE", "PLACEMENT_GROUP"),
  nodeId: opt(str),
  soft: opt(bool),
  placementGroupId: opt(str),
  bundleIndex: opt(i32),
  captureChildTasks: opt(bool),
});
export type Strategy = Infer<typeof Strategy>;

/** What a worker process must have before it runs the work. Equal hashes share processes. */
export const RuntimeEnv = struct("RuntimeEnv", {
  hash: str,
  envVars: dict(str),
  workingDir: opt(str),
  setupHook: opt(str),
});
export type RuntimeEnv = Infer<typeof RuntimeEnv>;

export const Isolation = oneOf("process", "shared", "thread");
export type Isolation = Infer<typeof Isolation>;

/** What a lease or an actor asks of a node. */
export const WorkerDemand = struct("WorkerDemand", {
  jobId: str,
  resources: Quantities,
  runtimeEnv: RuntimeEnv,
  isolation: Isolation,
  strategy: Strategy,
  labelSelector: opt(dict(str)),
  fallbackSelectors: opt(list(dict(str))),
  /** How a worker of this job is started: flags and working directory of the driver. */
  launch: struct("Launch", { execArgv: list(str), cwd: str }),
  /** For people: function or class. */
  name: str,
  /** The process may be stopped by a neighbour's failure and the work run again. */
  mayRerun: bool,
});
export type WorkerDemand = Infer<typeof WorkerDemand>;

/** Resource to the indices of its devices that a worker may use. */
export const Accelerators = dict(list(u32));
export type Accelerators = Infer<typeof Accelerators>;

/** What shows a process its devices and hides the others: `{ CUDA_VISIBLE_DEVICES: "0" }`. */
export const DeviceVariables = dict(str);
export type DeviceVariables = Infer<typeof DeviceVariables>;
