/**
 * Why a process is gone, in a form that a program can read. One kind from what the operating system, the kernel's counter
 * and this node itself know; where they know no more, the kind says no more. Never a list of guesses.
 */
export type DeathKind =
  /** It ended by itself, `exitCode` says how. An uncaught error ends Node with 1; its text is in `stderrTail`. */
  | "exit"
  /** A signal from outside that this node did not send. */
  | "signal"
  /** A signal that a process brings on itself: abort, bad memory access, illegal instruction. A native addon, or Node. */
  | "native-abort"
  /** The JavaScript heap reached its limit. */
  | "oom-heap"
  /** The kernel killed it for want of memory. */
  | "oom-kernel"
  /** This node killed it for want of memory, before the kernel would. */
  | "oom-monitor"
  /** A user asked: `kill`, `cancel` with force. */
  | "killed-by-user"
  /** The placement group that its work was in was removed. */
  | "placement-group-removed"
  /** This node had no more use for it: idle, job over, shutting down. */
  | "stopped-by-node"
  /** It never ran: `errorCode` says why (ENOENT, EACCES, EAGAIN, EMFILE, ENOMEM). */
  | "start-failed";

/** A plain record, so that it can be a fact of an error. */
export type DeathCause = {
  readonly kind: DeathKind;
  readonly pid?: number;
  readonly signal?: string;
  readonly exitCode?: number;
  readonly errorCode?: string;
  readonly memory?: DeathMemory;
  readonly stderrTail: readonly string[];
};

export type DeathMemory = {
  /** Private memory when last looked at; of a process that died quickly perhaps never. */
  readonly lastBytes?: number;
  /** The node at the moment when its monitor killed. */
  readonly nodeUsedBytes?: number;
  readonly nodeTotalBytes?: number;
};

/** Who asked for the death, as noted before the signal was sent. */
export type KillReason =
  | { readonly by: "user" }
  | { readonly by: "node" }
  | { readonly by: "placement-group" }
  | { readonly by: "memory-monitor"; readonly nodeUsedBytes: number; readonly nodeTotalBytes: number };

export interface DeathFacts {
  readonly pid?: number | undefined;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last kill of this node, with its signal. */
  readonly requested?: { readonly reason: KillReason; readonly signal: string } | undefined;
  /** The kernel counted a kill for want of memory that no other death explains. */
  readonly kernelKilled: boolean;
  readonly lastBytes?: number | undefined;
  readonly stderrTail: readonly string[];
}

/** Signals by which a process ends for something that it did itself. */
const SELF_INFLICTED: ReadonlySet<string> = new Set(["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"]);

/** How V8 ends a process: abort, trap or illegal instruction, by platform; as exit codes when a shell stands between. */
const V8_FATAL: ReadonlySet<string | number> = new Set(["SIGABRT", "SIGTRAP", "SIGILL", 134, 133, 132]);

/** The line that Node prints when V8 gives up on its heap; tried on Node 24 and 26. It counts only together with `V8_FATAL`. */
const HEAP_LIMIT_LINE = /^FATAL ERROR: .*JavaScript heap out of memory|^# Fatal JavaScript out of memory/;

export function classifyDeath(facts: DeathFacts): DeathCause {
  const kind = kindOf(facts);
  return {
    kind,
    ...(facts.pid === undefined ? {} : { pid: facts.pid }),
    ...(facts.signal === null ? {} : { signal: facts.signal }),
    ...(facts.exitCode === null ? {} : { exitCode: facts.exitCode }),
    ...memoryOf(facts),
    stderrTail: facts.stderrTail,
  };
}

/** It never ran. @param errorCode as the operating system names it: ENOENT */
export function startFailed(errorCode: string): DeathCause {
  return { kind: "start-failed", errorCode, stderrTail: [] };
}

function kindOf({ exitCode, signal, requested, kernelKilled, stderrTail }: DeathFacts): DeathKind {
  // Our own signal explains a death by it, and an exit after it (a handler of SIGTERM); a crash on the way out is a crash.
  if (requested !== undefined && (signal === requested.signal || signal === null)) return requestedKind(requested.reason);
  if (V8_FATAL.has(signal ?? exitCode ?? -1) && stderrTail.some((line) => HEAP_LIMIT_LINE.test(line))) return "oom-heap";
  if (signal === null) return "exit";
  if (signal === "SIGKILL" && kernelKilled) return "oom-kernel";
  return SELF_INFLICTED.has(signal) ? "native-abort" : "signal";
}

function requestedKind(reason: KillReason): DeathKind {
  switch (reason.by) {
    case "user":
      return "killed-by-user";
    case "node":
      return "stopped-by-node";
    case "placement-group":
      return "placement-group-removed";
    case "memory-monitor":
      return "oom-monitor";
  }
}

function memoryOf({ lastBytes, requested }: DeathFacts): { memory?: DeathMemory } {
  const node = requested?.reason.by === "memory-monitor" ? requested.reason : undefined;
  if (lastBytes === undefined && node === undefined) return {};
  return {
    memory: {
      ...(lastBytes === undefined ? {} : { lastBytes }),
      ...(node === undefined ? {} : { nodeUsedBytes: node.nodeUsedBytes, nodeTotalBytes: node.nodeTotalBytes }),
    },
  };
}
