/** What calls to an actor that is gone fail with. */
import type { ErrorCode, Facts } from "../../base/errors.ts";
import type { ActorView } from "../../messages/control.ts";
import type { Call } from "./call.ts";

/** Deaths before an actor was made have codes of their own. */
const deathCodes: Readonly<Record<string, ErrorCode>> = { unschedulable: "ACTOR_UNSCHEDULABLE", "name-taken": "ACTOR_NAME_TAKEN" };

/** Of a call to an actor that is dead. */
export function deadFailure(view: ActorView, call: Call): { code: ErrorCode; facts: Facts; errorBytes?: Uint8Array } {
  const facts = view.cause?.facts as Facts | undefined;
  const code = facts?.["code"] === "RUNTIME_ENV_FAILED" ? "RUNTIME_ENV_FAILED" : (deathCodes[view.cause?.kind ?? ""] ?? "ACTOR_DIED");
  return {
    code,
    facts: { actor: view.actorId.slice(0, 8), method: call.template.name, ...causeFacts(view) },
    ...(view.error && { errorBytes: view.error }),
  };
}

/** Why it died, as errors say it. */
export function causeFacts(view: ActorView | undefined): Facts {
  const cause = view?.cause;
  if (cause === undefined) return {};
  return {
    cause: cause.kind,
    signal: cause.signal,
    exitCode: cause.exitCode,
    pid: cause.pid,
    stderrTail: cause.stderrTail?.length ? cause.stderrTail : undefined,
    // Last: of a process that was refused they tell of that process.
    ...(cause.facts as Facts | undefined),
  };
}
