/** How handles of the API travel inside values. */
import { RaiaError } from "../base/errors.ts";
import { addRemoteCodec } from "../worker/remote-values.ts";
import { addressToPlain, reviveEntry } from "../worker/value-hooks.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import type { HandleShape } from "../worker/handle-shape.ts";
import { ActorClassHandle, makeHandle, recordOf } from "./actor-class.ts";
import { contextCodec } from "./call-context.ts";
import { type MadeQueue, type Queue, queueOf } from "./queue.ts";
import { RemoteFunctionHandle } from "./remote-function.ts";

export function installRemoteValues(runtime: WorkerRuntime): void {
  addRemoteCodec(runtime.hooks, runtime, "function", {
    open: (value) => RemoteFunctionHandle.open(value),
    make: ({ source, options }) => new RemoteFunctionHandle(source, options),
    export: (value) => RemoteFunctionHandle.codeOf(value).in(runtime),
  });
  addRemoteCodec(runtime.hooks, runtime, "class", {
    open: (value) => ActorClassHandle.open(value),
    make: ({ source, options }) => new ActorClassHandle(source, options),
    export: (value) => ActorClassHandle.codeOf(value).in(runtime),
  });
  runtime.hooks.addCodec("context", contextCodec);
  runtime.hooks.addCodec("queue", {
    replace: (value) => {
      const { actor, maxSize } = value as Queue<unknown>;
      return { actor, maxSize };
    },
    revive: (payload) => {
      const { actor, maxSize } = payload as MadeQueue;
      if (typeof maxSize !== "number" || typeof actor !== "object") throw new RaiaError("PROTOCOL", { reason: "malformed queue" });
      return queueOf({ actor, maxSize });
    },
  });
  runtime.hooks.addCodec("actor", {
    replace(handle, scope, hooks) {
      const { client, shape, scope: counted } = recordOf(handle);
      if (counted !== undefined) scope.entries.push(counted);
      return {
        actorId: client.actorId,
        jobId: client.jobId,
        shape,
        counted: counted === undefined ? null : addressToPlain(hooks.table.addressOf(counted)),
      };
    },
    revive(payload, scope, hooks) {
      const { actorId, jobId, shape, counted } = payload as { actorId: string; jobId: string; shape: HandleShape; counted: unknown };
      if (typeof actorId !== "string" || typeof shape !== "object") throw new RaiaError("PROTOCOL", { reason: "malformed actor handle" });
      const client = runtime.actors.client(actorId, jobId);
      runtime.actors.watch(client);
      const entry = counted === null ? undefined : reviveEntry(counted, scope, hooks);
      return makeHandle(runtime, client, shape, entry, Promise.resolve(actorId));
    },
  });
}
