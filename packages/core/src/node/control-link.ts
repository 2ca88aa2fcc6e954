/** What a node tells control: that it is there, what it has free, and who ended here. */
import type { Clock, Timer } from "../base/clock.ts";
import type { ResourceSet } from "../base/resources.ts";
import type { DeathCause } from "../messages/common.ts";
import { controlService, nodeReports } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import type { Client } from "../wire/service.ts";

export interface NodeIdentity {
  readonly nodeId: string;
  readonly address: string;
  readonly resources: ResourceSet;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is free changes with every lease; control needs to know it roughly. */
const REPORT_EVERY_MS = 100;

export class ControlLink {
  readonly #node: NodeIdentity;
  readonly #clock: Clock;
  readonly #available: () => ResourceSet;
  #control: Client<typeof controlService> | undefined;
  #reports: Client<typeof nodeReports> | undefined;
  #timer: Timer | undefined;

  constructor(node: NodeIdentity, clock: Clock, available: () => ResourceSet) {
    this.#node = node;
    this.#clock = clock;
    this.#available = available;
  }

  attach(connection: Connection): void {
    this.#control = connection.client(controlService);
    this.#reports = connection.client(nodeReports);
  }

  async register(): Promise<void> {
    const { nodeId, address, resources, labels } = this.#node;
    await this.#control?.registerNode({ nodeId, address, total: resources, labels });
  }

  /** Something was lent or came back. */
  reportSoon(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.after(REPORT_EVERY_MS, () => {
      this.#timer = undefined;
      this.#control?.reportNode({ nodeId: this.#node.nodeId, available: this.#available() });
    });
  }

  /** @param intended it was to end: no restart */
  actorEnded(actor: { readonly actorId: string; readonly incarnation: number }, cause: DeathCause, intended: boolean): void {
    this.#reports?.actorEnded({ actorId: actor.actorId, incarnation: actor.incarnation, cause, intended });
  }

  ownerEnded(workerId: string): void {
    this.#reports?.ownerEnded({ workerId });
  }

  close(): void {
    this.#timer?.cancel();
  }
}
