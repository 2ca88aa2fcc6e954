/** The streams that a gateway carries: how many there are, with whom, and what they hold. */
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { splice } from "./splice.ts";

export interface FarSide {
  /** `HOST:PORT`; empty when it did not say. */
  readonly machine: string;
  /** In its certificate; empty without TLS. */
  readonly id: string;
}

/** A place that is kept while a stream is being made. */
export interface Place {
  take(kind: "dialled" | "accepted", near: Socket, far: Socket, side: FarSide): void;
  free(): void;
}

interface Spliced {
  readonly near: Socket;
  readonly far: Socket;
  readonly side: FarSide;
}

export class SpliceTable {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #open = new Set<Spliced>();
  #reserved = 0;
  readonly #made = { dialled: 0, accepted: 0 };

  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** @throws {RaiaError} LIMIT_EXCEEDED */
  reserve(): Place {
    if (this.#open.size + this.#reserved >= this.#limit)
      throw new RaiaError("LIMIT_EXCEEDED", { limit: "streams through one gateway", most: this.#limit });
    this.#reserved++;
    let isKept = true;
    const free = (): void => {
      if (isKept) this.#reserved--;
      isKept = false;
    };
    return {
      free,
      take: (kind, near, far, side) => {
        free();
        this.#made[kind]++;
        const entry: Spliced = { near, far, side };
        this.#open.add(entry);
        splice(near, far, this.#clock, () => this.#open.delete(entry));
      },
    };
  }

  cut({ machine, id }: { readonly machine?: string; readonly id?: string }): void {
    for (const { near, far, side } of this.#open) {
      if ((machine === undefined || side.machine !== machine) && (id === undefined || side.id !== id)) continue;
      // At both ends at once: what waits for a machine that is held for dead is not sent any more.
      far.destroy();
      near.destroy();
    }
  }

  cutAll(): void {
    for (const { near, far } of this.#open) {
      far.destroy();
      near.destroy();
    }
  }

  counters(): { readonly open: number; readonly dialled: number; readonly accepted: number; readonly bufferedBytes: number } {
    let bufferedBytes = 0;
    for (const { near, far } of this.#open)
      for (const socket of [near, far]) bufferedBytes += socket.writableLength + socket.readableLength;
    return { open: this.#open.size, ...this.#made, bufferedBytes };
  }
}
