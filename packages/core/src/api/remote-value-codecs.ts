/** How handles of the API travel inside values. */
import { RaiaError } from "../base/errors.ts";
import { addRemoteCodec } from "../worker/execution/remote-values.ts";
import { addressToPlain, reviveEntry } from "../worker/objects/value-hooks.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";
import type { ActorName } from "../worker/calls/actor-directory.ts";
import type { HandleShape } from "../worker/calls/handle-shape.ts";
import { ActorClassHandle, makeHandle, recordOf } from "./actor-class.ts";
import { contextCodec } from "./call-context.ts";
import { bundleUnits, knownGroup, ownGroup } from "./placement-group.ts";
import { type MadeQueue, type Queue, queueOf } from "./queue.ts";
import { RemoteFunctionHandle } from "./remote-function.ts";

export function installRemoteValues(runtime: WorkerRuntime): void {
  addRemoteCodec(runtime.hooks, "function", {
    open: (value) => RemoteFunctionHandle.open(value),
    make: ({ source, options }) => new RemoteFunctionHandle(source, options),
    export: (value) => RemoteFunctionHandle.codeOf(value).in(runtime),
  });
  addRemoteCodec(runtime.hooks, "class", {
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
  runtime.hooks.addCodec("placementGroup", {
    replace: (value) => {
      const group = ownGroup("sending a placement group", value);
      return { id: group.id, bundles: bundleUnits(group) };
    },
    revive: (payload) => {
      const { id, bundles } = payload as { readonly id: unknown; readonly bundles: unknown };
      if (typeof id !== "string" || !Array.isArray(bundles)) throw new RaiaError("PROTOCOL", { reason: "malformed placement group" });
      return knownGroup(runtime, id, bundles as Record<string, number>[]);
    },
  });
  runtime.hooks.addCodec("actor", {
    replace(handle, scope, hooks) {
      const { runtime: maker, client, shape, scope: counted, registered, uncertainName } = recordOf(handle);
      maker.cluster.checkStays("sending an actor handle");
      if (counted !== undefined) scope.entries.push(counted);
      // The receiver asks by the name; that there is none is then its error, as it is ours.
      if (uncertainName !== undefined) scope.exports.push(registered.then(nothing, nothing));
      return {
        actorId: client.actorId,
        jobId: client.jobId,
        shape,
        counted: counted === undefined ? null : addressToPlain(hooks.table.addressOf(counted)),
        ...(uncertainName !== undefined && { uncertainName }),
      };
    },
    revive(payload, scope, hooks) {
      const { actorId, jobId, shape, counted, uncertainName } = payload as SentHandle;
      if (typeof actorId !== "string" || typeof shape !== "object") throw new RaiaError("PROTOCOL", { reason: "malformed actor handle" });
      const client = runtime.actors.client(actorId, jobId);
      const entry = counted === null ? undefined : reviveEntry(counted, scope, hooks);
      if (uncertainName === undefined) {
        runtime.actors.watch(client);
        return makeHandle(runtime, client, shape, entry, Promise.resolve(actorId));
      }
      const found = runtime.actors.find(client, uncertainName, shape.className);
      return makeHandle(runtime, client, shape, entry, found, uncertainName);
    },
  });
}

interface SentHandle {
  readonly actorId: string;
  readonly jobId: string;
  readonly shape: HandleShape;
  readonly counted: unknown;
  readonly uncertainName?: ActorName;
}

function nothing(): void {}
