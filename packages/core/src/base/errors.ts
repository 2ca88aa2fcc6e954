/**
 * One error class and one catalogue of codes. What is expected to go wrong while operating (a worker dies, a disk is
 * full, an argument is wrong) is a `RaiaError`: a code to branch on, facts as fields, and a text made from both. It
 * crosses processes as code and facts, so the receiver can read them too. Message text is never matched.
 */

/** Every code, with the sentence that explains it and what the reader can do about it. */
export const errorCatalogue = {
  // Waiting
  GET_TIMEOUT: ["The value was not ready in time", "raise timeoutMs, or ask explain(ref) what it waits for"],
  TASK_TIMEOUT: ["The task ran longer than its timeoutMs", "raise timeoutMs or make the task shorter"],
  QUEUE_TIMEOUT: ["The task waited longer than its queueTimeoutMs before it could start", "raise queueTimeoutMs or add resources"],
  TASK_CANCELLED: ["The task was cancelled", "submit it again if its result is needed"],
  // Deaths
  WORKER_CRASHED: [
    "The worker process died while it ran the task",
    "read the cause and the last lines of its stderr; allow maxRetries if the task may run again",
  ],
  NODE_DIED: ["The node that ran the task died", "allow maxRetries so that it runs on another node"],
  OUT_OF_MEMORY: ["A process was stopped because memory ran out", "ask for more with the memory option, or run fewer at a time"],
  ACTOR_DIED: ["The actor is dead", "read the cause; create it anew, or allow maxRestarts"],
  ACTOR_UNAVAILABLE: ["The actor is restarting and this call was lost", "call again, or allow maxTaskRetries if calls may run twice"],
  // Queues
  QUEUE_FULL: ["The queue has no room", "wait with put(), take items out, or make it with a larger maxSize"],
  QUEUE_EMPTY: ["The queue has not so many items", "wait with get(), or put items in"],
  // Objects
  OBJECT_FREED: ["The object was freed explicitly", "do not use a ref after free()"],
  OBJECT_LOST: ["Every copy of the object is gone and it cannot be computed again", "keep it with maxRetries, or put it again"],
  OWNER_DIED: [
    "The process that owned the object is gone, and the object was not finished or never returned",
    "keep the owner alive, or return the value instead of a ref",
  ],
  STORE_FULL: ["The object store and its overflow are full", "drop refs, await ref.stored, or raise objectStoreMemory"],
  OUT_OF_DISK: ["The disk that objects spill to is full", "free space, drop refs, or set another spillDirectory"],
  OBJECT_CORRUPT: [
    "An object that was read back does not have the checksum it was written with",
    "check the disk; the object is not returned",
  ],
  UNKNOWN_REF: ["The ref does not belong to this cluster or is not known to its owner", "use refs only in the cluster that made them"],
  // Scheduling
  TASK_UNSCHEDULABLE: ["No node can ever run the task", "ask for less, or add a node that has it"],
  ACTOR_UNSCHEDULABLE: ["No node can ever run the actor", "ask for less, or add a node that has it"],
  PLACEMENT_INFEASIBLE: ["The placement group cannot fit", "ask for smaller bundles, or add nodes"],
  PLACEMENT_GROUP_REMOVED: ["The placement group was removed", "create it again"],
  PLACEMENT_GROUP_NAME_TAKEN: ["A placement group of that name exists already", "choose another name, or use getPlacementGroup"],
  PLACEMENT_GROUP_NOT_FOUND: ["There is no placement group of that name", "check the name and the namespace, and that it was not removed"],
  PENDING_CALLS_LIMIT: ["Too many calls are pending", "await some results first, use map(), or raise the limit"],
  RUNTIME_ENV_FAILED: ["The runtime environment could not be set up", "read the cause; the task did not run"],
  // Values, functions, options
  UNSERIALIZABLE: ["A value cannot be sent to another process", "send plain data, or register a codec with registerCodec"],
  CODEC_MISSING: [
    "A value was written by a codec that this process does not have",
    "register it in a module that both sides import, or install the library that is named",
  ],
  FUNCTION_UNCAPTURABLE: [
    "A function cannot be sent to another process",
    "export it from a module, or pass what it captures as an argument",
  ],
  FUNCTION_LOAD_FAILED: ["A worker could not load the function", "make sure that its module can be imported where the worker runs"],
  INVALID_ARGUMENT: ["An argument is wrong", "see the documentation of the call"],
  INVALID_OPTION: ["An option is wrong", "see the documentation of the options"],
  NUM_RETURNS_MISMATCH: ["The task did not return what numReturns says", "return an array of that length, or yield as many values"],
  ACTOR_NAME_TAKEN: ["An actor of that name exists already", "choose another name, or use getIfExists"],
  ACTOR_NOT_FOUND: ["There is no actor of that name", "check name and namespace, and that it is still alive"],
  ACTOR_SELF_WAIT: [
    "An actor waits for its own call, which cannot start before it is done",
    "call the method directly, or raise maxConcurrency",
  ],
  SYNC_GET: ["get cannot block a synchronous function", "make the function async and await get()"],
  NOT_IN_PROCESS: ["This cannot be done in one process", 'run without mode: "inProcess"'],
  // Running
  NOT_INITIALIZED: ["Raia is not running in this process", "call init() first"],
  ALREADY_INITIALIZED: ["Raia is already running in this process", "call shutdown() first, or pass ignoreReinitError"],
  CLUSTER_START_FAILED: ["The local cluster did not start", "read the cause and the log file"],
  CLUSTER_NOT_FOUND: ["No cluster answers", "start one with raia start --head, or unset the address"],
  CLUSTER_LOST: [
    "The cluster that this program was in is gone, and what it held with it",
    "call init() to join or start another, and begin again",
  ],
  SHUTTING_DOWN: [
    "Raia was shut down in this program",
    "submit no more work after shutdown(); after another init(), make refs and actors anew",
  ],
  SESSION_DIRECTORY: ["The session directory cannot be used", "set RAIA_TMPDIR to a short, private, writable directory"],
  CONTROL_STORE_FAILED: [
    "The control plane could not write its tables",
    "check space and health of the disk that holds the session directory, then try again",
  ],
  // Wire
  JOIN_REFUSED: [
    "The cluster did not take this machine in",
    "make a new join token on a machine of the cluster: each works once, and for ten minutes",
  ],
  NOT_RAIA: ["What is at the address is not a gateway of Raia", "check host and port against what raia start --head printed"],
  INSECURE: [
    "A port that other machines can reach needs certificates",
    "leave certificates on, or say --insecure if whoever reaches the port may run code here",
  ],
  CREDENTIALS: ["Keys or certificates of this machine cannot be used", "mend what the reason names; nothing works without them"],
  CLOCK_SKEW: ["The clocks of two machines are too far apart", "set both clocks, with NTP for instance, and try again"],
  AUTHENTICATION: ["The peer did not prove that it belongs to this session", "use the session's own secret"],
  PROTOCOL: ["The peer sent something that is not the protocol", "check that both sides run the same version"],
  CONNECTION_LOST: ["The connection to a peer was lost", "the peer died or the machine is overloaded"],
  CONTROL_LOST: [
    "The control plane does not answer",
    "it is started again by its node as a rule: read its log (raia status names the directory), then try again",
  ],
  SYSTEM_CALL_FAILED: ["The operating system refused a call", "read errno; check the limits of this user and of its container"],
  LIMIT_EXCEEDED: ["A limit was reached", "raise the limit that is named"],
  UNSUPPORTED: ["This is not supported here", "see the documentation"],
} as const satisfies Record<string, readonly [meaning: string, wayOut: string]>;

/** Where a cause has a way out of its own; by the fact `cause`. */
const waysOutByCause: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ACTOR_DIED: {
    "constructor-failed": "mend what its constructor (or static create) threw; only a new actor runs it again",
    "placement-group-removed": "create the placement group again, and the actor in it",
    "job-ended": 'create it anew; one with lifetime: "detached" outlives its program',
  },
  AUTHENTICATION: {
    "no-certificate": "join the cluster first, with a join token",
    "self-signed": "join the cluster with a join token: it makes its certificates itself",
    "foreign-authority": "join this cluster with a join token of its own; the certificate is of another one",
    "other-cluster": "join this cluster with a join token of its own; the certificate is of another one",
    "wrong-role": "join again with a join token for the role that is needed",
    expired: "join again with a new join token: the certificate was not renewed in its time",
    "not-yet-valid": "set the clocks of both machines",
  },
  CONNECTION_LOST: {
    gone: "the process has ended; what it did is retried or reported where it was asked for",
    "machine-refused": "nothing listens at that port: its node has ended; start it again, or check the address",
    busy: "dial again: the process is there, and more have dialled it than it has taken",
    "no-gateway": "the node process of this machine has ended, or starts again; what is elsewhere may be as it was",
    unreachable: "check the network between the machines, and firewalls for that port",
  },
  JOIN_REFUSED: {
    "other-fingerprint": "check the address: whoever answers there belongs to another cluster than the token",
    "malformed-token": "copy the whole token, as it was printed",
    "too-often": "wait a minute: too many have tried to join",
  },
};

export type ErrorCode = keyof typeof errorCatalogue;

/** What a fact may be: something that crosses processes unchanged and prints on one line. */
export type Fact = string | number | boolean | null | undefined | readonly Fact[] | { readonly [key: string]: Fact };
export type Facts = { readonly [name: string]: Fact };

/**
 * An operating error.
 *
 * @param facts what a reader or a program needs to know; `cause` as a fact is a word, `options.cause` is the error behind this one
 */
export class RaiaError extends Error {
  override readonly name = "RaiaError";
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, facts: Facts = {}, options?: { cause?: unknown }) {
    super(errorText(code, facts), options);
    this.code = code;
    this.facts = facts;
  }

  /** Recognises one across two copies of the library, where `instanceof` would not. */
  static is(value: unknown, code?: ErrorCode): value is RaiaError {
    return value instanceof Error && brand in value && (code === undefined || (value as unknown as RaiaError).code === code);
  }
}

const brand = Symbol.for("raia.error");
Object.defineProperty(RaiaError.prototype, brand, { value: true });

function errorText(code: ErrorCode, facts: Facts): string {
  const [meaning, usualWayOut] = errorCatalogue[code];
  const { cause } = facts;
  const wayOut = (typeof cause === "string" ? waysOutByCause[code]?.[cause] : undefined) ?? usualWayOut;
  const shown = Object.entries(facts)
    .filter(([, fact]) => fact !== undefined)
    .map(([name, fact]) => `${name}=${showFact(fact)}`);
  return `[${code}] ${meaning}${shown.length > 0 ? `: ${shown.join(" ")}` : ""}. Way out: ${wayOut}.`;
}

const MAX_FACT_CHARS = 4000;

function showFact(fact: Fact): string {
  const text = typeof fact === "string" ? fact : JSON.stringify(fact);
  return text.length > MAX_FACT_CHARS ? `${text.slice(0, MAX_FACT_CHARS)}... (${text.length} characters)` : text;
}
