/**
 * An owner's side of one connection to a worker process: channels by number, the templates that were sent already, and
 * the results coming back. Leases and actors are channels; they share everything else.
 */
import type { Infer } from "../../wire/schema.ts";
import { type OpenChannel, RESULT_TAG, STREAM_ITEM_TAG, workerEvents, workerService } from "../../messages/tasks.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Client } from "../../wire/service.ts";
import type { Spinner } from "../../base/spinner.ts";
import type { Cancellation } from "../cancellation.ts";
import type { Call, CallTemplate } from "./call.ts";
import { handoversIn, readResults } from "./task-frames.ts";

/** One lease or one actor as this connection carries it. */
export interface LinkChannel {
  result(slot: number, microseconds: number, status: number, bytes: Buffer, start: number, end: number): void;
  item(slot: number, index: number, status: number, bytes: Buffer, start: number, end: number): void;
  /** All results of one frame were handed over: the moment to push more. */
  frameDone(): void;
  gaveBack(slots: readonly number[]): void;
  ready(ready: boolean): void;
  retiring(): void;
  /** A call with a time limit begins; told by actors. */
  began(slot: number, sequence: number): void;
  /** The connection is gone; no more results will come. */
  closed(reason: string): void;
}

export class WorkerLink {
  readonly connection: Connection;
  readonly worker: Client<typeof workerService>;
  readonly #channels = new Map<number, LinkChannel>();
  readonly #templates = new Set<number>();
  #nextChannel = 1;

  constructor(connection: Connection, spinner: Spinner) {
    this.connection = connection;
    this.worker = connection.client(workerService);
    connection.serve(workerEvents, {
      gaveBack: ({ channel, slots }) => this.#channels.get(channel)?.gaveBack(slots),
      channelReady: ({ channel, ready }) => this.#channels.get(channel)?.ready(ready),
      workerRetiring: ({ channel }) => this.#channels.get(channel)?.retiring(),
      callBegan: ({ channel, slot, sequence }) => this.#channels.get(channel)?.began(slot, sequence),
    });
    connection.onHot(RESULT_TAG, (bytes, start, end) => {
      let count = 0;
      const channel = readResults(bytes, start, end, (number, slot, microseconds, status, at, from, to) => {
        count++;
        const target = this.#channels.get(number);
        if (target !== undefined) target.result(slot, microseconds, status, at, from, to);
        else this.#drop(status, at, from, to);
      });
      this.#channels.get(channel)?.frameDone();
      spinner.touch(count);
    });
    connection.onHot(STREAM_ITEM_TAG, (bytes, start, end) => {
      readResults(bytes, start, end, (number, slot, index, status, at, from, to) => {
        const target = this.#channels.get(number);
        if (target !== undefined) target.item(slot, index, status, at, from, to);
        else this.#drop(status, at, from, to);
      });
    });
    connection.onClosed((reason) => {
      for (const channel of [...this.#channels.values()]) channel.closed(reason);
      this.#channels.clear();
    });
  }

  /** It was on its way when its channel was closed. */
  #drop(status: number, bytes: Buffer, start: number, end: number): void {
    for (const handover of handoversIn(status, bytes, start, end)) this.worker.resultRefsTaken({ handover });
  }

  /** @returns the channel's number, to be written into pushes */
  open(channel: LinkChannel, opening: Omit<Infer<typeof OpenChannel>, "channel">): number {
    const number = this.#nextChannel++;
    if (this.connection.isClosed) {
      // It ended between the dial and now; its end was told already.
      queueMicrotask(() => channel.closed("the connection has ended"));
      return number;
    }
    this.#channels.set(number, channel);
    this.worker.openChannel({ channel: number, ...opening });
    return number;
  }

  close(number: number): void {
    if (this.#channels.delete(number)) this.worker.closeChannel({ channel: number });
  }

  cancel(channel: number, { slot, sequence }: Call, { force, recursive, reason }: Cancellation): void {
    this.worker.cancelTask({ channel, slot, sequence, recursive, ...(force && { force }), ...(reason && { reason: reason.bytes }) });
  }

  explainRun(channel: number, { slot, sequence }: Call, path: readonly string[], withinMs: number) {
    return this.worker.explainRun({ channel, slot, sequence, path: [...path], withinMs });
  }

  /** Makes sure that the worker knows the template before the first push that names it. */
  define(template: CallTemplate): void {
    if (this.#templates.has(template.id)) return;
    this.#templates.add(template.id);
    this.worker.defineTemplate(template.wire);
  }
}
