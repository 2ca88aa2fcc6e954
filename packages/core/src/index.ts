/** What users import. */
import { useDriver } from "./api/init.ts";
import { startDriver } from "./bin/driver.ts";

useDriver(startDriver);

export { RaiaError, type ErrorCode, errorCatalogue } from "./base/errors.ts";
export { exitActor, getActor, kill, type KillOptions } from "./api/actor-class.ts";
export { init, type InitInfo, type InitOptions, isInitialized, shutdown } from "./api/init.ts";
export { cancel, type CancelOptions, free, get, onOutOfScope, put, wait } from "./api/objects.ts";
export type {
  ActorOptions,
  ErrorClass,
  MethodOptions,
  NumReturns,
  RuntimeEnvOptions,
  SchedulingStrategy,
  TaskOptions,
} from "./api/option-types.ts";
export { ActorPool, type PoolCall } from "./api/actor-pool.ts";
export { Queue, type QueueOptions, type QueueWaitOptions } from "./api/queue.ts";
export {
  type BundleOptions,
  getPlacementGroup,
  PlacementGroup,
  placementGroup,
  type PlacementGroupOptions,
  placementGroupTable,
  type PlacementGroupWaitOptions,
  removePlacementGroup,
} from "./api/placement-group.ts";
export { remote } from "./api/remote.ts";
export type {
  ActorClass,
  ActorHandle,
  AnyActorHandle,
  OverloadedRemoteFunction,
  OverloadedRemoteMethod,
  RemoteFunction,
  RemoteFunctionOf,
  RemoteMethod,
} from "./api/remote-types.ts";
export type { Unsendable } from "./api/sendable.ts";
export { type ContextOptions, type ContextStorage, registerContext, type TraceContext, withTraceContext } from "./api/call-context.ts";
export { checkSendable } from "./api/check-sendable.ts";
export { map, type MapOptions, type Settled } from "./api/map.ts";
export { runtimeContext, type RuntimeContext } from "./api/runtime-context.ts";
export {
  availableResources,
  clusterResources,
  explain,
  listActors,
  listJobs,
  listObjects,
  listTasks,
  listWorkers,
  nodes,
  storeUsage,
  timeline,
} from "./api/state.ts";
export { registerCodec } from "./values/class-registry.ts";
export { ObjectRef } from "./worker/objects/object-ref.ts";
export type { GetOptions } from "./worker/objects/wait-options.ts";
export { ObjectRefStream } from "./worker/calls/object-stream.ts";
export type { ActorState, JobState, NodeState, PlacementGroupState, StoreUsage, WorkerState } from "./worker/state/cluster-state.ts";
export type { TraceEvent } from "./worker/state/chrome-trace.ts";
export type { Explanation } from "./worker/state/explanation.ts";
export type { ObjectState, TaskState } from "./worker/state/state-rows.ts";
export type { SendableProblem, SendableReport } from "./worker/objects/sendable-report.ts";
