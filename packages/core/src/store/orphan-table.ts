/**
 * Who keeps which object whose owner is gone: a process that holds refs to it, or another object that refers to it. Pure.
 */
import type { ObjectId } from "../base/ids.ts";

/** A process by its slot, or an object that refers to others. */
export type Keeper = number | ObjectId;

export class OrphanTable {
  readonly #keepersOf = new Map<ObjectId, Set<Keeper>>();
  readonly #keptBy = new Map<Keeper, Set<ObjectId>>();

  keep(keeper: Keeper, id: ObjectId): void {
    this.#keepersOf.set(id, (this.#keepersOf.get(id) ?? new Set()).add(keeper));
    this.#keptBy.set(keeper, (this.#keptBy.get(keeper) ?? new Set()).add(id));
  }

  isKept(id: ObjectId): boolean {
    return this.#keepersOf.has(id);
  }

  drop(keeper: Keeper, id: ObjectId): void {
    const keepers = this.#keepersOf.get(id);
    keepers?.delete(keeper);
    if (keepers?.size === 0) this.#keepersOf.delete(id);
    const kept = this.#keptBy.get(keeper);
    kept?.delete(id);
    if (kept?.size === 0) this.#keptBy.delete(keeper);
  }

  /** That keeper is gone. @returns what it kept */
  dropAll(keeper: Keeper): ObjectId[] {
    const kept = [...(this.#keptBy.get(keeper) ?? [])];
    for (const id of kept) this.drop(keeper, id);
    return kept;
  }

  /** The object is no more. @returns what it kept */
  remove(id: ObjectId): ObjectId[] {
    for (const keeper of [...(this.#keepersOf.get(id) ?? [])]) this.drop(keeper, id);
    return this.dropAll(id);
  }
}
