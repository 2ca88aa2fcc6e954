/** What a failed attempt means for its call. Pure. */
import { RaiaError } from "../../base/errors.ts";
import type { DeathCause } from "../../messages/common.ts";
import { errorNameOf } from "../../values/error-codec.ts";
import type { Call, CallFailure } from "./call.ts";

/** Whether a call whose code threw is tried again: `retryExceptions` says which errors count. */
export function shouldRetryError(call: Call, bytes: Uint8Array, start: number, end: number): boolean {
  const { retryExceptions } = call.template;
  if (retryExceptions === false || call.retriesLeft === 0 || call.isSettled) return false;
  if (retryExceptions === true) return true;
  const names = errorNameOf(bytes.subarray(start, end));
  return names.some((name) => retryExceptions.includes(name));
}

/** Whether something in the process may have brought it down, rather than somebody who ended it on purpose. */
export function isCrash(cause: DeathCause): boolean {
  return cause.kind !== "killed-by-user" && cause.kind !== "stopped-by-node" && cause.kind !== GROUP_REMOVED;
}

const GROUP_REMOVED = "placement-group-removed";

/** What the caller is told when the worker died and the call may not run again. */
export function deathFailure(call: Call, cause: DeathCause, hadNeighbours: boolean): CallFailure {
  if (cause.kind === GROUP_REMOVED)
    return { code: "PLACEMENT_GROUP_REMOVED", facts: { task: call.template.name, pid: cause.pid, attempt: call.attempt } };
  const isMemory = cause.kind.startsWith("oom");
  return {
    code: isMemory ? "OUT_OF_MEMORY" : "WORKER_CRASHED",
    facts: {
      task: call.template.name,
      cause: hadNeighbours ? "neighbour" : cause.kind,
      ...(hadNeighbours && { kind: cause.kind }),
      signal: cause.signal,
      exitCode: cause.exitCode,
      pid: cause.pid,
      attempt: call.attempt,
      ...(cause.facts as Record<string, never> | undefined),
      stderrTail: cause.stderrTail,
    },
  };
}

/** Of a call that could not be sent. */
export function failureOf(error: unknown, call: Call): CallFailure {
  if (RaiaError.is(error)) return { code: error.code, facts: { task: call.template.name, ...error.facts }, cause: error.cause };
  return { code: "TASK_UNSCHEDULABLE", facts: { task: call.template.name, reason: String(error) }, cause: error };
}
