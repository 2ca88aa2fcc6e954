/** What is told of actors: to whoever has created or found one, and in listings. */
import type { ActorRegistered, ActorRow } from "../messages/control.ts";
import type { Infer } from "../wire/schema.ts";
import type { ActorEntry, DeadActor } from "./actor-table.ts";

export function registeredReply({ spec }: ActorEntry, existed: boolean): Infer<typeof ActorRegistered> {
  const { actorId, className, methods } = spec;
  return { actorId, existed, className, methods };
}

export function rowOf({ spec, machine }: ActorEntry): Infer<typeof ActorRow> {
  const { actorId, className, name, namespace, jobId, detached } = spec;
  const { state } = machine;
  const pid = state.kind === "alive" || state.kind === "leaving" ? state.home.pid : undefined;
  return { actorId, className, name, namespace, jobId, detached, state: state.kind, restarts: state.life.restarts, pid };
}

export function deadRowOf({ spec, life, end }: DeadActor): Infer<typeof ActorRow> {
  const { actorId, className, name, namespace, jobId, detached } = spec;
  return { actorId, className, name, namespace, jobId, detached, state: "dead", restarts: life.restarts, deathCause: end.cause };
}
