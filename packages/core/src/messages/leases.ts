/** Node service, part one: owners ask a node to lend workers. */
import { bool, dict, list, oneOf, opt, plain, str, struct, u32, u53 } from "../wire/schema.ts";
import { message, oneWay, service, unary } from "../wire/service.ts";
import { Accelerators, DeathCause, DeviceVariables, Done, WorkerDemand } from "./common.ts";

/** Asks a node to lend one worker. Sent by a task's owner; safe to repeat under the same id. */
export const RequestLease = message(20, "RequestLease", { leaseId: str, ownerId: str, demand: WorkerDemand, backlog: u53 });

/** Answered when a worker is free, or when it is known that none will be. */
export const LeaseReply = message(21, "LeaseReply", {
  status: oneOf("granted", "spilled", "cancelled"),
  workerId: opt(str),
  address: opt(str),
  pid: opt(u53),
  nodeId: opt(str),
  /** Byte offset in the arena of the claim words that belong to the lease, and how many there are. */
  claimOffset: opt(u53),
  claimCount: opt(u32),
  /** Bytes from the start of the worker's claim words to those of the lease. */
  claimInWorker: opt(u53),
  accelerators: opt(Accelerators),
  deviceVariables: opt(DeviceVariables),
  /** Set when spilled: ask there. */
  spillAddress: opt(str),
});

export const CancelLease = message(22, "CancelLease", { leaseId: str });

/** The owner needs the worker no more. `discard` when the worker must not be used again. */
export const ReturnLease = message(23, "ReturnLease", { leaseId: str, discard: bool });

/** Stops the worker of a lease: SIGTERM, after the grace period SIGKILL. For cancellation by force and time limits. */
export const KillLeasedWorker = message(24, "KillLeasedWorker", { leaseId: str, graceMs: u53, reason: str });

/** Node to owner: another job waits; return the lease as soon as nothing runs on it. */
export const RecallLease = message(25, "RecallLease", { leaseId: str });

/** Node to owner: the worker of the lease is gone, and why; answered at once, when the owner writes to its words no more. `strangers`: leases of other owners, and actors, that went with it. */
export const LeaseEnded = message(26, "LeaseEnded", { leaseId: str, cause: DeathCause, strangers: opt(u32) });

/** Worker to node: its tasks under these leases wait, the CPU is free for others. */
export const TaskBlocked = message(27, "TaskBlocked", { leaseIds: list(str) });
/** Worker to node: what it waited for is there; answered when the CPU is granted again. */
export const TaskUnblocked = message(28, "TaskUnblocked", { leaseIds: list(str) });

/** What stands in the way of a pending lease: per node the first predicate that failed, with numbers. */
export const ExplainLease = message(29, "ExplainLease", { leaseId: str });
export const LeaseExplanation = message(30, "LeaseExplanation", { state: str, position: opt(u53), reasons: list(str) });

/** Worker to node: an actor has ended itself. */
export const ActorExited = message(38, "ActorExited", { actorId: str });

export const leaseService = service("lease", {
  actorExited: oneWay(ActorExited),
  requestLease: unary(RequestLease, LeaseReply),
  cancelLease: oneWay(CancelLease),
  returnLease: oneWay(ReturnLease),
  killLeasedWorker: oneWay(KillLeasedWorker),
  taskBlocked: oneWay(TaskBlocked),
  taskUnblocked: unary(TaskUnblocked, Done),
  explainLease: unary(ExplainLease, LeaseExplanation),
});

/** What a node tells an owner. */
export const leaseEvents = service("leaseEvents", { recallLease: oneWay(RecallLease), leaseEnded: unary(LeaseEnded, Done) });

/** Who joins a node: drivers and workers alike. */
export const RegisterProcess = message(31, "RegisterProcess", {
  kind: oneOf("driver", "worker"),
  workerId: str,
  pid: u53,
  address: str,
  jobId: opt(str),
});
export const ProcessRegistered = message(32, "ProcessRegistered", {
  nodeId: str,
  arenaPath: str,
  arenaBytes: u53,
  /** Marks the arena blocks that this process allocates. */
  arenaSlot: u32,
  claimOffset: u53,
  claimCount: u32,
  spillDirectory: str,
  sessionDirectory: str,
  resources: dict(u53),
  labels: dict(str),
});

export const WorkerRow = struct("WorkerRow", {
  workerId: str,
  pid: u53,
  kind: str,
  state: str,
  jobId: str,
  running: list(str),
  residentBytes: opt(u53),
  facts: opt(plain),
  /** Where its owner service can be dialled; absent while it starts. */
  address: opt(str),
});
export const ListWorkers = message(33, "ListWorkers", {});
export const WorkerList = message(34, "WorkerList", { workers: list(WorkerRow) });

/** Asks the node to tell what it knows: resources, leases, objects. */
export const NodeStatus = message(35, "NodeStatus", {});
export const NodeStatusReply = message(36, "NodeStatusReply", {
  nodeId: str,
  total: dict(u53),
  available: dict(u53),
  pendingLeases: u53,
  workers: u53,
  facts: plain,
});

/** Lines that workers printed, for the driver of their job. */
export const OutputLines = message(37, "OutputLines", { lines: list(str), stream: oneOf("stdout", "stderr") });
export const outputEvents = service("outputEvents", { outputLines: oneWay(OutputLines) });

/** Driver to node: deliver what workers of this job have printed so far; answered when it is on its way. */
export const FlushOutput = message(39, "FlushOutput", { jobId: str });

/** Driver to node: let the workers of this job report what happened to its tasks; answered when they have, or are too busy to. */
export const CollectEvents = message(59, "CollectEvents", { jobId: str });

/**
 * A worker owns objects that others know, or does so no more. Until then it is not ended for want of work: they would be
 * lost. Sent before what made the difference.
 */
export const OwnsShared = message(54, "OwnsShared", { owns: bool });

export const processService = service("process", {
  ownsShared: oneWay(OwnsShared),
  flushOutput: unary(FlushOutput, Done),
  collectEvents: unary(CollectEvents, Done),
  registerProcess: unary(RegisterProcess, ProcessRegistered),
  listWorkers: unary(ListWorkers, WorkerList),
  nodeStatus: unary(NodeStatus, NodeStatusReply),
});
