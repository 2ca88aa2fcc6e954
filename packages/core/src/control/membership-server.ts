/**
 * The nodes: who is there, what each has free, and a way to ask it something that outlasts a lost connection. Whoever places
 * work hears of changes through `MembershipEvents`.
 */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { type ResourceSet, resourceSet } from "../base/resources.ts";
import { nodeControlService, type controlService } from "../messages/control.ts";
import type { Quantities } from "../messages/common.ts";
import type { ClusterView } from "../scheduling/cluster-view.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Client, Handlers } from "../wire/service.ts";
import { type ControlLimits, checkLimit } from "./control-limits.ts";
import type { MembershipEvent } from "./membership-machine.ts";
import { type NodeEntry, NodeTable } from "./node-table.ts";

type Served = "registerNode" | "reportNode" | "listNodes";
export type NodeHandlers = Pick<Handlers<typeof controlService, Connection>, Served>;
type Registration = Infer<(typeof controlService.methods.registerNode)["request"]>;
export type NodeClient = Client<typeof nodeControlService>;

export interface MembershipEvents {
  /** A node has other resources free: what waits for a place may fit now. */
  roomChanged(): void;
  /** The nodes are others than before, and so is the room. */
  membershipChanged(): void;
  /** The same node on a new connection, with what it hosts if it says so. */
  nodeReturned(nodeId: string, lostAtMs: number, hosted: Registration["actors"]): void;
  nodeDied(nodeId: string): void;
}

export interface MembershipDeps {
  readonly clock: Clock;
  readonly limits: ControlLimits;
  readonly events: MembershipEvents;
}

/** A node that was killed is declared dead within a second; one that dials again on the same machine needs a tenth of this. */
const NODE_GRACE_MS = 500;
/** After a restart of control: the nodes notice, and dial again with pauses that grow. */
const EXPECTED_GRACE_MS = 10_000;

export class MembershipServer {
  readonly #deps: MembershipDeps;
  readonly #nodes: NodeTable;
  /** Those who wait for a lost node to come back or die. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    this.#nodes = new NodeTable(deps.limits.maxDeadNodes);
  }

  readonly handlers: NodeHandlers = {
    registerNode: (request, peer) => this.#register(request, peer),
    reportNode: (request, peer) => this.#report(request, peer),
    listNodes: () => ({ nodes: [...this.#nodes.all()].map(rowOf) }),
  };

  get view(): ClusterView {
    return this.#nodes.view;
  }

  reserve(nodeId: string, resources: ResourceSet): void {
    this.#nodes.reserve(nodeId, resources);
  }

  /** A node that an earlier control process knew: it has time to find this one. */
  expect(nodeId: string): void {
    if (this.#nodes.get(nodeId) !== undefined) return;
    const entry = this.#nodes.add(nodeId, EXPECTED_GRACE_MS);
    this.#feed(entry, { kind: "registered" });
    this.#feed(entry, { kind: "connectionLost" });
    entry.graceMs = NODE_GRACE_MS;
  }

  /** Where it can be dialled; empty when it is not known. */
  addressOf(nodeId: string): string {
    return this.#nodes.get(nodeId)?.address ?? "";
  }

  /** Tells every node that can be reached. */
  tellAll(tell: (client: NodeClient) => void): void {
    this.tellAllOver((connection) => tell(connection.client(nodeControlService)));
  }

  tellAllOver(tell: (connection: Connection) => void): void {
    for (const { connection } of this.#nodes.all()) if (connection !== undefined) tell(connection);
  }

  tell(nodeId: string, tell: (client: NodeClient) => void): void {
    const connection = this.#nodes.get(nodeId)?.connection;
    if (connection !== undefined) tell(connection.client(nodeControlService));
  }

  /**
   * Asks a node, again on its next connection when one is lost meanwhile; what is asked must be safe to repeat.
   *
   * @returns `undefined` when the node is dead
   */
  ask<T>(nodeId: string, ask: (client: NodeClient) => Promise<T>): Promise<T | undefined> {
    return this.askOver(nodeId, (connection) => ask(connection.client(nodeControlService)));
  }

  /** The same, for other services of a node. */
  async askOver<T>(nodeId: string, ask: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    for (;;) {
      const entry = this.#nodes.get(nodeId);
      if (entry === undefined || entry.machine.state.kind === "dead") return undefined;
      if (entry.connection === undefined) {
        await this.#change(nodeId);
        continue;
      }
      try {
        return await ask(entry.connection);
      } catch (error) {
        if (!RaiaError.is(error, "CONNECTION_LOST")) throw error;
      }
    }
  }

  /** Asks once; `undefined` when it is not connected, or fails. For what can be left undone. */
  async askNow<T>(nodeId: string, ask: (client: NodeClient) => Promise<T>): Promise<T | undefined> {
    const connection = this.#nodes.get(nodeId)?.connection;
    if (connection === undefined) return undefined;
    try {
      return await ask(connection.client(nodeControlService));
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      return undefined;
    }
  }

  #change(nodeId: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(nodeId, [...(this.#waiting.get(nodeId) ?? []), resolve]));
  }

  #register(request: Registration, peer: Connection): Record<string, never> {
    const { nodeId } = request;
    const known = this.#nodes.get(nodeId);
    // A dead one is refused before anything about it changes.
    if (known?.machine.state.kind === "dead") this.#feed(known, { kind: "registered" });
    if (known === undefined) checkLimit("maxNodes", this.#nodes.size + 1, this.#deps.limits);
    if (known !== undefined && known.connection === peer) return {};
    const entry = known ?? this.#nodes.add(nodeId, NODE_GRACE_MS);
    const old = entry.connection;
    entry.connection = peer;
    entry.address = request.address;
    entry.total = asSet(request.total);
    entry.available = entry.total;
    entry.labels = request.labels;
    this.#nodes.changed();
    peer.onClosed(() => this.#lost(entry, peer));
    old?.close("the node has another connection");
    this.#feed(entry, { kind: "registered" }, request.actors);
    this.#wake(nodeId);
    return {};
  }

  #report({ nodeId, available }: { readonly nodeId: string; readonly available: Quantities }, peer: Connection): void {
    if (this.#nodes.get(nodeId)?.connection === peer) this.reported(nodeId, available);
  }

  /** A node has said what it has free. */
  reported(nodeId: string, available: Quantities): void {
    const entry = this.#nodes.get(nodeId);
    if (entry?.connection === undefined) return;
    entry.available = asSet(available);
    this.#nodes.changed();
    this.#deps.events.roomChanged();
  }

  #lost(entry: NodeEntry, peer: Connection): void {
    if (entry.connection !== peer) return;
    entry.connection = undefined;
    this.#feed(entry, { kind: "connectionLost" });
  }

  #feed(entry: NodeEntry, event: MembershipEvent, hosted?: Registration["actors"]): void {
    const { clock, events } = this.#deps;
    for (const effect of entry.machine.handle(event, clock.nowMs())) {
      this.#nodes.changed();
      switch (effect.kind) {
        case "startGrace":
          entry.lostAtMs = clock.nowMs();
          entry.grace = clock.after(entry.graceMs, () => this.#feed(entry, { kind: "graceOver" }));
          break;
        case "stopGrace":
          entry.grace?.cancel();
          break;
        case "announceJoined":
          events.membershipChanged();
          // An earlier control process had it start what this one knows nothing of.
          if (hosted !== undefined && hosted.length > 0) events.nodeReturned(entry.id, clock.nowMs(), hosted);
          break;
        case "announceReturned":
          events.nodeReturned(entry.id, entry.lostAtMs, hosted);
          events.roomChanged();
          break;
        case "announceDead":
          this.#nodes.bury(entry);
          events.nodeDied(entry.id);
          events.membershipChanged();
          this.#wake(entry.id);
          break;
        case "refuse":
          throw new RaiaError("NODE_DIED", { nodeId: entry.id, reason: "it was declared dead; join under another id" });
      }
    }
  }

  #wake(nodeId: string): void {
    const waiting = this.#waiting.get(nodeId) ?? [];
    this.#waiting.delete(nodeId);
    for (const resolve of waiting) resolve();
  }

  close(): void {
    for (const entry of this.#nodes.all()) entry.grace?.cancel();
  }
}

function asSet(quantities: Quantities): ResourceSet {
  return resourceSet(Object.entries(quantities));
}

function rowOf(entry: NodeEntry): {
  nodeId: string;
  address: string;
  state: "alive" | "dead";
  total: Quantities;
  available: Quantities;
  labels: Readonly<Record<string, string>>;
} {
  const { id, address, total, available, labels, machine } = entry;
  return { nodeId: id, address, state: machine.state.kind === "dead" ? "dead" : "alive", total, available, labels };
}
