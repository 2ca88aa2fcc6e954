/**
 * Results of calls that failed and that nobody has looked at. Only failures are kept here, so that what succeeds pays nothing.
 * Looked at is what a `get`, a `wait` or another call was given; what other processes know of is theirs to look at.
 */
import type { Facts } from "../../base/errors.ts";
import { type ObjectEntry, objectState } from "./object-entry.ts";

/** Ends that somebody asked for. */
const askedFor: ReadonlySet<string> = new Set(["TASK_CANCELLED", "SHUTTING_DOWN", "CLUSTER_LOST", "OBJECT_FREED"]);

export class UnseenFailures {
  readonly #unseen = new Set<ObjectEntry>();
  /** Of a `get` that ended with another's failure: theirs, when it comes, is no news. */
  readonly #excused = new WeakSet<ObjectEntry>();
  readonly #tell: (entry: ObjectEntry) => void;

  /** @param tell the last reference to it goes, or went before it failed */
  constructor(tell: (entry: ObjectEntry) => void) {
    this.#tell = tell;
  }

  /** It has failed, and nobody waited for it. */
  failed(entry: ObjectEntry): void {
    if (entry.exported || this.#excused.has(entry) || wasAskedFor(entry)) return;
    if (entry.gone) this.#tell(entry);
    else this.#unseen.add(entry);
  }

  looked(entry: ObjectEntry): void {
    if (!entry.isSettled) this.#excused.add(entry);
    else if (this.#unseen.size > 0) this.#unseen.delete(entry);
  }

  /** The last reference goes. */
  gone(entry: ObjectEntry): void {
    if (this.#unseen.delete(entry) && !entry.exported) this.#tell(entry);
  }
}

function wasAskedFor({ state, payload }: ObjectEntry): boolean {
  if (state !== objectState.failure) return false;
  const { code, facts } = payload as { readonly code: string; readonly facts: Facts };
  return askedFor.has(code) || facts["cause"] === "killed-by-user";
}
