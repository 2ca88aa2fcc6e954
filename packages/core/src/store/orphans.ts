/**
 * Objects that outlive the process that owned them. When an owner is gone, what it left stays until every process of the
 * node has said which of it it holds refs to; from then on each object stays while somebody does. So a worker may die the
 * moment its result has left: the refs in it stay good. There is no deadline, since a process that computes answers late.
 */
import { type ObjectId, ownerPart } from "../base/ids.ts";
import { LruMap } from "../base/lru-map.ts";
import { type Keeper, OrphanTable } from "./orphan-table.ts";

/** What was on its way when its owner died comes within seconds; the oldest of so many deaths are long past. */
const MAX_DEAD_OWNERS = 4096;

/** A finished object, and those of the same owner that its value refers to. */
export interface Legacy {
  readonly id: ObjectId;
  readonly nested: readonly ObjectId[];
}

export class Orphans {
  readonly #table = new OrphanTable();
  /** By the part of their ids that object ids begin with. */
  readonly #deadOwners = new LruMap<string, true>(MAX_DEAD_OWNERS);
  /** What dead owners left and is still there. */
  readonly #left = new Set<ObjectId>();
  /** Owners of which not every process has said yet what it holds. */
  readonly #asking = new Set<string>();
  readonly #free: (ids: readonly ObjectId[]) => void;

  constructor(free: (ids: readonly ObjectId[]) => void) {
    this.#free = free;
  }

  /** Nobody can ask for it any more: its owner is gone, and it was not finished by then or nobody kept it. */
  isUnwanted(id: ObjectId): boolean {
    return this.hasDeadOwner(id) && !this.#left.has(id);
  }

  hasDeadOwner(id: ObjectId): boolean {
    return this.#deadOwners.get(ownerPart(id)) !== undefined;
  }

  /** @param holdersAsked settles when all processes have said what they keep */
  async ownerDied(ownerId: string, left: readonly Legacy[], holdersAsked: Promise<unknown>): Promise<void> {
    const owner = ownerPart(ownerId);
    this.#deadOwners.set(owner, true);
    if (left.length === 0) return;
    for (const { id, nested } of left) {
      this.#left.add(id);
      for (const inner of nested) this.#table.keep(id, inner);
    }
    this.#asking.add(owner);
    await holdersAsked;
    this.#asking.delete(owner);
    this.#freeUnkept(left.map(({ id }) => id));
  }

  /** Its owner may be dead without this node knowing yet. */
  keep(keeper: Keeper, ids: readonly ObjectId[]): void {
    for (const id of ids) this.#table.keep(keeper, id);
  }

  drop(keeper: Keeper, ids: readonly ObjectId[]): void {
    for (const id of ids) this.#table.drop(keeper, id);
    this.#freeUnkept(ids);
  }

  keeperDied(keeper: Keeper): void {
    this.#freeUnkept(this.#table.dropAll(keeper));
  }

  /** The object is no more. */
  removed(id: ObjectId): void {
    this.#left.delete(id);
    this.#freeUnkept(this.#table.remove(id));
  }

  #freeUnkept(ids: readonly ObjectId[]): void {
    const unkept = ids.filter((id) => this.#left.has(id) && !this.#table.isKept(id) && !this.#asking.has(ownerPart(id)));
    if (unkept.length > 0) this.#free(unkept);
  }
}
