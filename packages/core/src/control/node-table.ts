import type { Timer } from "../base/clock.ts";
import type { Labels } from "../base/labels.ts";
import { Machine } from "../base/machine.ts";
import { type ResourceSet, resourceSet, unitsOf } from "../base/resources.ts";
import type { ClusterView, NodeView } from "../scheduling/cluster-view.ts";
import type { Connection } from "../wire/connection.ts";
import { type MembershipEffect, type MembershipEvent, type MembershipState, membershipTable } from "./membership-machine.ts";

export interface NodeEntry {
  readonly id: string;
  readonly machine: Machine<MembershipState, MembershipEvent, MembershipEffect>;
  /** The one that counts; frames of an older one change nothing. */
  connection: Connection | undefined;
  address: string;
  total: ResourceSet;
  available: ResourceSet;
  labels: Labels;
  /** How long it may be lost before it counts as dead. */
  graceMs: number;
  grace: Timer | undefined;
  lostAtMs: number;
}

/** The nodes of the cluster: those that live or may come back, and a short history of the dead. */
export class NodeTable {
  readonly #members = new Map<string, NodeEntry>();
  readonly #dead = new Map<string, NodeEntry>();
  readonly #maxDead: number;
  #view: ClusterView | undefined;

  constructor(maxDead: number) {
    this.#maxDead = maxDead;
  }

  get size(): number {
    return this.#members.size;
  }

  get(id: string): NodeEntry | undefined {
    return this.#members.get(id) ?? this.#dead.get(id);
  }

  add(id: string, graceMs: number): NodeEntry {
    const entry: NodeEntry = {
      id,
      machine: new Machine("membership", membershipTable, { kind: "absent" }),
      connection: undefined,
      address: "",
      total: resourceSet([]),
      available: resourceSet([]),
      labels: {},
      graceMs,
      grace: undefined,
      lostAtMs: 0,
    };
    this.#members.set(id, entry);
    return entry;
  }

  bury(entry: NodeEntry): void {
    this.#members.delete(entry.id);
    this.#dead.set(entry.id, entry);
    entry.available = resourceSet([]);
    const oldest = this.#dead.keys().next();
    if (this.#dead.size > this.#maxDead && !oldest.done) this.#dead.delete(oldest.value);
  }

  /** Living first. */
  *all(): Iterable<NodeEntry> {
    yield* this.#members.values();
    yield* this.#dead.values();
  }

  /** Those that may get work. */
  get view(): ClusterView {
    this.#view ??= { nodes: [...this.#members.values()].filter(isAlive).map(viewOf) };
    return this.#view;
  }

  /** Something that `view` shows is another now. */
  changed(): void {
    this.#view = undefined;
  }

  /** Counts what was just placed there, until the node's next report says what it really has. */
  reserve(id: string, resources: ResourceSet): void {
    const entry = this.#members.get(id);
    if (entry === undefined) return;
    entry.available = resourceSet(
      Object.entries(entry.available).map(([name, units]) => [name, Math.max(0, units - unitsOf(resources, name))] as const),
    );
    this.changed();
  }
}

function isAlive({ machine }: NodeEntry): boolean {
  return machine.state.kind === "alive";
}

function viewOf({ id, total, available, labels }: NodeEntry): NodeView {
  return { id, total, available, labels };
}
