/** The actors that this process calls: made here, or known by a handle or a name. */
import { RaiaError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { ActorSpec as ActorSpecType, ActorView } from "../../messages/control.ts";
import type { Infer } from "../../wire/schema.ts";
import type { EndCode } from "../objects/object-entry.ts";
import { ActorCallLimits } from "./actor-call-limits.ts";
import { ActorClient } from "./actor-client.ts";
import type { ArgumentWriter, EncodedArguments } from "./call-arguments.ts";
import type { CallResults } from "./call-results.ts";
import type { ClusterLink } from "../cluster-link.ts";
import { type ObjectEntry, objectState } from "../objects/object-entry.ts";
import type { ObjectReader } from "../objects/object-reader.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { WorkerLinks } from "./worker-links.ts";

/** How actor methods are called, sent with a handle. */
export type ActorSpec = Infer<typeof ActorSpecType>;

export interface ActorDirectoryDependencies {
  readonly cluster: ClusterLink;
  readonly table: ReferenceTable;
  readonly reader: ObjectReader;
  readonly writer: ArgumentWriter;
  readonly results: CallResults;
  readonly links: WorkerLinks;
  readonly clock: Clock;
}

export interface ActorName {
  readonly name: string;
  readonly namespace: string;
}

export interface CreatedActor {
  readonly client: ActorClient;
  /** Counts the handles. */
  readonly scope: ObjectEntry;
  /** The actor's id: another than was asked for, where one of its name was there already. */
  readonly registered: Promise<string>;
}

export class ActorDirectory {
  readonly #deps: ActorDirectoryDependencies;
  readonly #cluster: ClusterLink;
  readonly #table: ReferenceTable;
  readonly #clients = new Map<string, ActorClient>();
  readonly #limits: ActorCallLimits;

  constructor(deps: ActorDirectoryDependencies) {
    this.#deps = deps;
    this.#cluster = deps.cluster;
    this.#table = deps.table;
    this.#limits = new ActorCallLimits(deps.clock, deps.results);
  }

  client(actorId: string, jobId: string): ActorClient {
    let client = this.#clients.get(actorId);
    if (client === undefined) {
      const { links, results, writer } = this.#deps;
      client = new ActorClient(actorId, jobId, {
        link: (address) => links.dial(address),
        results,
        writer,
        limits: this.#limits,
        busyChanged: (scope, isBusy) => (isBusy ? this.#table.hold(scope) : this.#table.dropHold(scope)),
      });
      this.#clients.set(actorId, client);
    }
    return client;
  }

  /** Creates an actor; its handle's entry is what counts the handles. */
  create(spec: Omit<ActorSpec, "args">, args: readonly unknown[], exported: Promise<void> | undefined, getIfExists: boolean): CreatedActor {
    const { reader, writer } = this.#deps;
    // A detached actor may be made again when this process is gone.
    const encoded = spec.detached ? writer.encodeWhole(args) : writer.encode(args);
    // Arguments were read: from here on nothing the caller does to them matters.
    const scope = this.#table.own(this.#table.takeSequences(1), `handle of ${spec.className}`);
    scope.settle(objectState.value, undefined);
    const client = this.client(spec.actorId, spec.jobId);
    const dependencies = encoded.dependencies ?? [];
    const ready = Promise.all([
      this.#cluster.joined,
      exported,
      ...(encoded.exports ?? []),
      ...dependencies.map(({ entry }) => reader.settled([entry])),
    ]);
    const registered = ready.then(async () => {
      const failed = dependencies.find(({ entry }) => entry.state >= objectState.error);
      if (failed !== undefined) await reader.get(failed.entry);
      return this.#register(spec, await this.#wireArguments(encoded, spec.detached), getIfExists);
    });
    this.#follow(client, registered, spec.className);
    if (spec.name === undefined && !spec.detached) {
      client.endsWithHandles = true;
      scope.onOutOfScope = [
        () => {
          void registered.then(
            (actorId) => this.#outOfScope(actorId),
            () => {
              // It was never created.
            },
          );
        },
      ];
    }
    // Arguments of the constructor are needed until the actor can start no more.
    const held = encoded.held;
    if (held !== undefined) (scope.onOutOfScope ??= []).push(() => held.forEach((entry) => this.#table.dropHold(entry)));
    return { client, scope, registered };
  }

  #outOfScope(actorId: string): void {
    this.#cluster.control.actorOutOfScope({ actorId }).catch(() => {
      // This process leaves, or control is gone for good: the actor ends with its job, or with its node.
    });
  }

  async #wireArguments(encoded: EncodedArguments, isDetached: boolean): Promise<Uint8Array> {
    const { reader, writer } = this.#deps;
    const { args, argsStart, argsEnd, dependencies } = encoded;
    if (dependencies === undefined || dependencies.length === 0) return args.subarray(argsStart, argsEnd);
    if (!isDetached) return writer.withDependencies(encoded);
    return writer.withValues(encoded, await Promise.all(dependencies.map(({ entry }) => reader.get(entry))));
  }

  async #register(spec: Omit<ActorSpec, "args">, args: Uint8Array, getIfExists: boolean): Promise<string> {
    const { jobId, namespace, nodeId, control } = this.#cluster;
    const job = { jobId, namespace: spec.namespace || namespace };
    const reply = control.createActor({
      spec: { ...spec, ...job, demand: { ...spec.demand, jobId }, args, ownerNodeId: nodeId },
      getIfExists,
    });
    return (await this.#cluster.asked(reply)).actorId;
  }

  /**
   * A handle came that was sent before its maker knew whether it made the actor of that name or found it (`getIfExists`):
   * the name is registered by now, and says which actor it is.
   *
   * @returns the actor's id
   */
  async find(client: ActorClient, { name, namespace }: ActorName, className: string): Promise<string> {
    const found = this.#cluster.control.getActorByName({ name, namespace }).then(
      ({ actorId }) => actorId,
      (error: unknown) => {
        // It is not registered yet: then it is made as what its maker calls it, or there will be none.
        if (RaiaError.is(error, "ACTOR_NOT_FOUND")) return client.actorId;
        throw error;
      },
    );
    this.#follow(client, found, className);
    return found;
  }

  #follow(client: ActorClient, registered: Promise<string>, className: string): void {
    registered.then(
      (actorId) => {
        if (actorId !== client.actorId) this.#joinElder(client, actorId);
        this.watch(client);
      },
      (error: unknown) => this.#tell(client, notCreated(client.actorId, className, error)),
    );
  }

  /** The actor was there before this client asked for one of its name. */
  #joinElder(client: ActorClient, actorId: string): void {
    const elder = this.#clients.get(actorId);
    if (this.#clients.get(client.actorId) === client) this.#clients.delete(client.actorId);
    if (elder === undefined) this.#clients.set(actorId, client);
    client.becomes(actorId, elder);
  }

  /** Learns how an actor stands, now and whenever it changes. */
  watch(client: ActorClient): void {
    if (client.view === undefined) this.#ask(client);
  }

  #ask(client: ActorClient): void {
    const known = client.view;
    this.#cluster.control.watchActor({ actorId: client.actorId }).then(
      ({ view }) => {
        // A change that arrived in the same turn was told already, since changes need no promise; it is the newer word.
        if (client.view === known) this.#tell(client, view);
      },
      (error: unknown) => {
        if (this.#cluster.isLeaving) return;
        const facts = RaiaError.is(error) ? error.facts : {};
        this.#tell(client, { actorId: client.actorId, state: "dead", incarnation: 1, cause: { kind: "unknown-actor", facts } });
      },
    );
  }

  /** Control was away: what happened to the actors meanwhile was told to nobody. */
  watchAgain(): void {
    for (const client of this.#clients.values()) {
      // One that has no view yet has asked, and asks again by itself.
      if (client.view !== undefined) this.#ask(client);
    }
  }

  update(view: Infer<typeof ActorView>): void {
    const client = this.#clients.get(view.actorId);
    if (client !== undefined) this.#tell(client, view);
  }

  /** Of a dead actor there is no more news: its handles keep what they need, and who gets another handle asks again. */
  #tell(client: ActorClient, view: Infer<typeof ActorView>): void {
    client.update(view);
    if (view.state === "dead" && this.#clients.get(client.actorId) === client) this.#clients.delete(client.actorId);
  }

  shutdown(code: EndCode): void {
    for (const client of this.#clients.values()) client.shutdown(code);
  }
}

function notCreated(actorId: string, className: string, error: unknown): Infer<typeof ActorView> {
  const { code, facts } = RaiaError.is(error) ? error : new RaiaError("ACTOR_DIED", { actor: className, reason: String(error) });
  const kind = code === "ACTOR_NAME_TAKEN" ? "name-taken" : "not-created";
  return { actorId, state: "dead", incarnation: 1, cause: { kind, facts: { ...facts, code } } };
}
