/**
 * A stream of results at its owner: each item becomes an object of its own as soon as it is reported. A retried stream
 * reports from the beginning; what was delivered already is skipped by index.
 */
import type { ObjectEntry } from "./object-entry.ts";

export class StreamState {
  readonly items: ObjectEntry[] = [];
  /** Items that came, whether or not the consumer has taken them. */
  received = 0;
  /** How far the present attempt has told of its items, those included that nobody wanted. */
  reported = 0;
  /** Items that the consumer has taken. */
  consumed = 0;
  ended = false;
  /** Set when the stream ended in an error: an entry that rejects. */
  failure: ObjectEntry | undefined = undefined;
  /** Those who wait for an item or the end, in the order in which they asked. Each looks again when something has changed. */
  readonly waiting: (() => void)[] = [];
  /** The consumer has gone: what still comes is dropped. */
  stopped = false;

  notify(): void {
    if (this.waiting.length > 0) for (const wake of this.waiting.splice(0)) wake();
  }
}
