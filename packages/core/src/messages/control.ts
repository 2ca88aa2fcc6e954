/** Control service: jobs, nodes, actors and their names, functions, key-value pairs. Tables of the cluster, kept durable. */
import { bool, bytes, dict, f64, type Infer, i32, list, oneOf, opt, plain, str, struct, u32, u53 } from "../wire/schema.ts";
import { message, oneWay, service, unary } from "../wire/service.ts";
import { DeathCause, Done, Quantities, WorkerDemand } from "./common.ts";

// Jobs
export const RegisterJob = message(120, "RegisterJob", {
  driverId: str,
  driverPid: u53,
  entrypoint: str,
  namespace: opt(str),
  metadata: plain,
  /** The node that the driver runs on: the job ends with it. */
  nodeId: opt(str),
});
export const JobRegistered = message(121, "JobRegistered", { jobId: str, namespace: str });
export const FinishJob = message(122, "FinishJob", { jobId: str });
/** The job is about to end: those of its actors that end with it and have a disposal dispose themselves. Answered when they have. */
export const DisposeActors = message(155, "DisposeActors", { jobId: str });
export const JobRow = struct("JobRow", {
  jobId: str,
  namespace: str,
  driverPid: u53,
  entrypoint: str,
  state: oneOf("running", "finished"),
  startedAtMs: f64,
  endedAtMs: opt(f64),
});
export const ListJobs = message(123, "ListJobs", {});
export const JobList = message(124, "JobList", { jobs: list(JobRow) });

// Nodes
/** An incarnation that a node has, from the request to start it until its end was told. */
export const HostedActor = struct("HostedActor", { actorId: str, incarnation: u32 });
/** What a node holds of a placement group, of one attempt to place it. */
export const HeldBundles = struct("HeldBundles", { groupId: str, epoch: u32, indices: list(u32), isCommitted: bool });
export type HeldBundles = Infer<typeof HeldBundles>;
export const RegisterNode = message(125, "RegisterNode", {
  nodeId: str,
  address: str,
  total: Quantities,
  labels: dict(str),
  /** What it hosts, when it registers again after its connection or control itself was lost: reports may have been lost too. */
  actors: opt(list(HostedActor)),
  bundles: opt(list(HeldBundles)),
});
export const NodeRow = struct("NodeRow", {
  nodeId: str,
  address: str,
  state: oneOf("alive", "dead"),
  total: Quantities,
  available: Quantities,
  labels: dict(str),
});
export const ReportNode = message(126, "ReportNode", { nodeId: str, available: Quantities });
export const ListNodes = message(127, "ListNodes", {});
export const NodeList = message(128, "NodeList", { nodes: list(NodeRow) });

// Actors
export const ActorSpec = struct("ActorSpec", {
  actorId: str,
  jobId: str,
  className: str,
  functionHash: str,
  args: bytes,
  demand: WorkerDemand,
  /** Held while the actor runs; what it takes to be placed is in `demand`. */
  runResources: Quantities,
  maxRestarts: i32,
  maxConcurrency: i32,
  concurrencyGroups: dict(u32),
  maxPendingCalls: i32,
  name: opt(str),
  namespace: str,
  detached: bool,
  ownerId: str,
  /** Method names and their options, for those who get the actor by name. */
  methods: bytes,
  /** The node that its owner runs on: when that dies, so do its owners. */
  ownerNodeId: opt(str),
});
export type ActorSpec = Infer<typeof ActorSpec>;

/** What `ActorView.cause.kind` may be beside the kinds of a process's death. */
export const actorDeathKinds = [
  /** The constructor threw, and `ActorView.error` has what. */
  "constructor-failed",
  /** No process for it could be had; `facts.code` and the rest say why. */
  "start-failed",
  /** No node can ever run it; `facts.reasons` says why, node by node. */
  "unschedulable",
  "killed-by-user",
  "out-of-scope",
  "owner-ended",
  "job-ended",
  /** The placement group that it was in was removed. */
  "placement-group-removed",
  "node-died",
  /** It ended itself. */
  "exited",
  /** Its node has it no more, and how it ended was lost with a connection. */
  "lost-by-node",
  /** Its record could not be written. */
  "not-registered",
  /** Dead for so long that control has forgotten how it died. */
  "forgotten",
] as const;

export const CreateActorRequest = message(130, "CreateActorRequest", { spec: ActorSpec, getIfExists: bool });
export const ActorRegistered = message(131, "ActorRegistered", { actorId: str, existed: bool, className: str, methods: bytes });
export const GetActorByName = message(132, "GetActorByName", { name: str, namespace: str });

export const ActorView = struct("ActorView", {
  actorId: str,
  state: oneOf("pending", "alive", "restarting", "dead"),
  incarnation: u32,
  address: opt(str),
  workerId: opt(str),
  nodeId: opt(str),
  pid: opt(u53),
  cause: opt(DeathCause),
  /** The encoded error when the constructor threw. */
  error: opt(bytes),
  /** It has something to do at its end, which is worth waiting for. */
  disposes: opt(bool),
});
export type ActorView = Infer<typeof ActorView>;
/**
 * Asks to be told of an actor's changes over this connection; answered with how it stands. An actor that is not registered
 * yet is "pending" as incarnation 0: its creator may still wait for an argument.
 */
export const WatchActor = message(133, "WatchActor", { actorId: str });
export const ActorState = message(134, "ActorState", { view: ActorView });
export const KillActor = message(135, "KillActor", { actorId: str, noRestart: bool });
/** The last handle is gone, and every call that was made through one is answered. */
export const ActorOutOfScope = message(136, "ActorOutOfScope", { actorId: str });
export const ActorRow = struct("ActorRow", {
  actorId: str,
  className: str,
  name: opt(str),
  namespace: str,
  jobId: str,
  state: str,
  restarts: u32,
  pid: opt(u53),
  detached: bool,
  deathCause: opt(DeathCause),
});
export const ListActors = message(137, "ListActors", { limit: u53 });
export const ActorList = message(138, "ActorList", { actors: list(ActorRow), total: u53 });
export const ExplainActor = message(139, "ExplainActor", { actorId: str });
export const Explanation = message(140, "Explanation", { state: str, reasons: list(str) });

// Functions and key-value pairs
export const PutFunction = message(141, "PutFunction", { hash: str, jobId: str, code: bytes });
export const GetFunction = message(142, "GetFunction", { hash: str });
export const FunctionReply = message(143, "FunctionReply", { code: opt(bytes) });
export const KvPut = message(144, "KvPut", { namespace: str, key: str, value: bytes, overwrite: bool });
export const KvPutReply = message(145, "KvPutReply", { added: bool });
export const KvGet = message(146, "KvGet", { namespace: str, key: str });
export const KvReply = message(147, "KvReply", { value: opt(bytes) });
export const KvDelete = message(148, "KvDelete", { namespace: str, key: str });
export const KvKeys = message(149, "KvKeys", { namespace: str, prefix: str });
export const KvKeysReply = message(150, "KvKeysReply", { keys: list(str) });

// Task events, bounded; for timeline and lists
export const TaskEvent = struct("TaskEvent", {
  taskId: str,
  name: str,
  jobId: str,
  /** `submitted` and `got` are told by who calls; `finished` and `failed` by who runs. */
  state: str,
  /** When it began, in milliseconds since 1970. */
  atMs: f64,
  durationMs: opt(f64),
  workerId: str,
  pid: u53,
  attempt: u32,
  error: opt(str),
});
/** Of one job, by one process; see task-event-block.ts. */
export const ReportTaskEvents = message(154, "ReportTaskEvents", {
  jobId: str,
  workerId: str,
  pid: u53,
  words: list(str),
  rows: bytes,
  /** How many had to be dropped since the last report. */
  dropped: u53,
});
export const ListTaskEvents = message(152, "ListTaskEvents", { limit: u53, jobId: opt(str) });
export const TaskEventList = message(153, "TaskEventList", { events: list(TaskEvent), dropped: u53 });

export const controlService = service("control", {
  registerJob: unary(RegisterJob, JobRegistered),
  finishJob: unary(FinishJob, Done),
  disposeActors: unary(DisposeActors, Done),
  listJobs: unary(ListJobs, JobList),
  registerNode: unary(RegisterNode, Done),
  reportNode: oneWay(ReportNode),
  listNodes: unary(ListNodes, NodeList),
  createActor: unary(CreateActorRequest, ActorRegistered),
  getActorByName: unary(GetActorByName, ActorRegistered),
  watchActor: unary(WatchActor, ActorState),
  killActor: unary(KillActor, Done),
  actorOutOfScope: unary(ActorOutOfScope, Done),
  listActors: unary(ListActors, ActorList),
  explainActor: unary(ExplainActor, Explanation),
  putFunction: unary(PutFunction, Done),
  getFunction: unary(GetFunction, FunctionReply),
  kvPut: unary(KvPut, KvPutReply),
  kvGet: unary(KvGet, KvReply),
  kvDelete: unary(KvDelete, Done),
  kvKeys: unary(KvKeys, KvKeysReply),
  reportTaskEvents: oneWay(ReportTaskEvents),
  listTaskEvents: unary(ListTaskEvents, TaskEventList),
});

/** What control tells those who watch. */
export const controlEvents = service("controlEvents", { actorState: oneWay(ActorState) });

// Control to node, over the connection that the node made
/** Safe to repeat: the same actor and incarnation get the same answer. Answered when the constructor is done. */
export const StartActor = message(160, "StartActor", { spec: ActorSpec, incarnation: u32 });
export const ActorStarted = message(161, "ActorStarted", {
  /** Refused without a cause: another node is tried. With one, the actor is dead of it. */
  status: oneOf("alive", "failed", "refused", "workerDied"),
  address: opt(str),
  workerId: opt(str),
  pid: opt(u53),
  error: opt(bytes),
  cause: opt(DeathCause),
  disposes: opt(bool),
});
/** Answered when that incarnation is gone, or was never there; one that is still being started is stopped too. */
export const StopActorOnNode = message(162, "StopActorOnNode", {
  actorId: str,
  incarnation: u32,
  graceMs: u53,
  /** Why, as its death is told. Absent: a user kills it. */
  kind: opt(str),
});
export const JobEnded = message(163, "JobEnded", { jobId: str });
export const ExplainActorOnNode = message(164, "ExplainActorOnNode", { actorId: str });
export const nodeControlService = service("nodeControl", {
  startActor: unary(StartActor, ActorStarted),
  stopActor: unary(StopActorOnNode, Done),
  jobEnded: oneWay(JobEnded),
  explainActor: unary(ExplainActorOnNode, Explanation),
});

/** Node to control: a process that hosted actors is gone, or an actor ended by itself. */
export const ActorEnded = message(165, "ActorEnded", { actorId: str, incarnation: u32, cause: DeathCause, intended: bool });
/** Node to control: a driver or worker is gone; what it owned goes with it. */
export const OwnerEnded = message(166, "OwnerEnded", { workerId: str });
export const nodeReports = service("nodeReports", { actorEnded: unary(ActorEnded, Done), ownerEnded: unary(OwnerEnded, Done) });
