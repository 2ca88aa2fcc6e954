/**
 * Worker service: owners push tasks and actor calls straight to the process that runs them. Pushes and results are hot
 * frames (`worker/calls/task-frames.ts`); what is the same in every call of a function is sent once per connection as a
 * template, and each lease or actor that a connection serves is a numbered channel.
 */
import { bool, bytes, dict, f64, i32, list, oneOf, opt, str, u32, u53 } from "../wire/schema.ts";
import { message, oneWay, service, unary } from "../wire/service.ts";
import { Accelerators, DeviceVariables, Done, RefAddress, RuntimeEnv } from "./common.ts";

/** Hot frame tags. */
export const PUSH_TAG = 100;
export const RESULT_TAG = 101;
export const STREAM_ITEM_TAG = 102;

/** What is the same in every call of one function or method by one owner. */
export const DefineTemplate = message(60, "DefineTemplate", {
  template: u32,
  /** Function hash; for an actor method the method's name is in `method`. */
  functionHash: str,
  method: opt(str),
  name: str,
  jobId: str,
  namespace: str,
  /** -1: a stream. */
  numReturns: i32,
  concurrencyGroup: opt(str),
  generatorBackpressure: opt(u32),
  timeoutMs: opt(f64),
  maxCalls: opt(u32),
  captureRefs: opt(list(RefAddress)),
  runtimeEnv: opt(RuntimeEnv),
  resources: opt(dict(u53)),
  queueTimeoutMs: opt(f64),
  /** The placement group that it runs in, and whether what it submits goes there, too. */
  placementGroupId: opt(str),
  captureChildTasks: opt(bool),
});

/** A lease or an actor that the owner will push to over this connection. */
export const OpenChannel = message(61, "OpenChannel", {
  channel: u32,
  kind: oneOf("lease", "actor"),
  /** Lease id or actor id. */
  id: str,
  jobId: str,
  accelerators: opt(Accelerators),
  /** Bytes from the start of the worker's claim words to those of this lease. */
  claimOffset: opt(u53),
  deviceVariables: opt(DeviceVariables),
});
export const CloseChannel = message(62, "CloseChannel", { channel: u32 });

/** Aborts the task's signal, with that reason if there is one; the owner has settled its ref already. */
export const CancelTask = message(63, "CancelTask", {
  channel: u32,
  slot: u32,
  sequence: u53,
  recursive: bool,
  /** For the calls that it made: whoever sends this sees to the task itself. */
  force: opt(bool),
  reason: opt(bytes),
});

/** More stream items may come: how many the consumer has taken. */
export const StreamCredit = message(64, "StreamCredit", { channel: u32, slot: u32, consumed: u53 });
/** The consumer wants no more. */
export const StreamStop = message(65, "StreamStop", { channel: u32, slot: u32 });

/** The owner of a result has taken over the refs inside it: the worker may let go of them. */
export const ResultRefsTaken = message(66, "ResultRefsTaken", { handover: u53 });

/** Worker to owner: this call of an actor begins now. Told of calls with a time limit. */
export const CallBegan = message(67, "CallBegan", { channel: u32, slot: u32, sequence: u53 });

/**
 * What a call waits for that this process has. `path`: ids of calls that wait for it, each for the next; `withinMs`: how long it
 * may ask others.
 */
export const ExplainRun = message(68, "ExplainRun", { channel: u32, slot: u32, sequence: u53, path: list(str), withinMs: opt(u53) });
export const RunExplanation = message(69, "RunExplanation", { state: str, reasons: list(str) });

export const workerService = service("worker", {
  defineTemplate: oneWay(DefineTemplate),
  openChannel: oneWay(OpenChannel),
  closeChannel: oneWay(CloseChannel),
  cancelTask: oneWay(CancelTask),
  streamCredit: oneWay(StreamCredit),
  streamStop: oneWay(StreamStop),
  resultRefsTaken: oneWay(ResultRefsTaken),
  explainRun: unary(ExplainRun, RunExplanation),
});

/** Worker to owner: these were not begun and go back, since the task before them waits. */
export const GaveBack = message(70, "GaveBack", { channel: u32, slots: list(u32) });
/** Worker to owner: whether it takes new pushes on this channel without giving them back. */
export const ChannelReady = message(71, "ChannelReady", { channel: u32, ready: bool });
/** Worker to owner: this process takes no more work (maxCalls reached) once what it has begun is done. */
export const WorkerRetiring = message(72, "WorkerRetiring", { channel: u32 });

export const workerEvents = service("workerEvents", {
  gaveBack: oneWay(GaveBack),
  channelReady: oneWay(ChannelReady),
  workerRetiring: oneWay(WorkerRetiring),
  callBegan: oneWay(CallBegan),
});

/** Node to worker: become this actor. Answered when its constructor is done. */
export const CreateActor = message(73, "CreateActor", {
  actorId: str,
  incarnation: u32,
  jobId: str,
  namespace: str,
  name: str,
  functionHash: str,
  args: bytes,
  ownerId: str,
  maxConcurrency: i32,
  concurrencyGroups: dict(u32),
  maxPendingCalls: i32,
  accelerators: opt(Accelerators),
  resources: dict(u53),
  deviceVariables: opt(DeviceVariables),
  placementGroupId: opt(str),
  captureChildTasks: opt(bool),
});
export const ActorCreated = message(74, "ActorCreated", {
  ok: bool,
  error: opt(bytes),
  /** What the constructor threw, in a line of text. */
  reason: opt(str),
  /** Its instance has something to do at its end. */
  disposes: opt(bool),
});
/** Node to worker: end this actor: let its calls finish, dispose it, within the grace period. */
export const StopActor = message(75, "StopActor", { actorId: str, graceMs: u53 });

/**
 * Node to worker: whether others use what you own. The answer comes behind every OwnsShared that was sent before, which
 * may still be unread when an owner gives back the lease.
 */
export const AskOwned = message(76, "AskOwned", {});
export const OwnedAnswer = message(77, "OwnedAnswer", { owns: bool });

/**
 * Node to worker: take no more calls on this lease, if none runs on it; its owner does not answer, and others wait.
 * `discard`: the process takes no more work at all.
 */
export const YieldLease = message(78, "YieldLease", { leaseId: str });
export const LeaseYielded = message(79, "LeaseYielded", { yielded: bool, discard: bool });

/** Node to worker: report now what happened to tasks; the job is about to end, and this process with it. */
export const ReportEvents = message(93, "ReportEvents", {});

export const hostService = service("host", {
  yieldLease: unary(YieldLease, LeaseYielded),
  createActor: unary(CreateActor, ActorCreated),
  stopActor: unary(StopActor, Done),
  askOwned: unary(AskOwned, OwnedAnswer),
  reportEvents: unary(ReportEvents, Done),
});
