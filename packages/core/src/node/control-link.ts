/**
 * What a node tells control: that it is there, what it has free, who ended here. Control may be started again, so its
 * connection is dialled anew, and each time the node says first which ends were not acknowledged, then what it hosts.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { ResourceSet } from "../base/resources.ts";
import type { DeathCause } from "../messages/common.ts";
import { controlService, type HeldBundles, type HostedActor, nodeReports } from "../messages/control.ts";
import type { Connection } from "../wire/connection.ts";
import { LastingLink } from "../wire/lasting-link.ts";
import type { Infer } from "../wire/schema.ts";
import type { Client } from "../wire/service.ts";

export interface NodeIdentity {
  readonly nodeId: string;
  readonly address: string;
  readonly resources: ResourceSet;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ControlLinkDependencies {
  readonly node: NodeIdentity;
  readonly clock: Clock;
  /** What may be lent now. */
  readonly available: () => ResourceSet;
  readonly hosted: () => Infer<typeof HostedActor>[];
  /** Bundles of placement groups. */
  readonly bundles: () => readonly HeldBundles[];
  /** Answers what control asks of a node. */
  readonly serve: (connection: Connection) => void;
}

type Report = (control: Client<typeof nodeReports>) => Promise<unknown>;

/** What is free changes with every lease; control needs to know it roughly. */
const REPORT_EVERY_MS = 100;

export class ControlLink {
  readonly #deps: ControlLinkDependencies;
  /** Ends that control has not acknowledged, oldest first. */
  readonly #unacknowledged = new Set<Report>();
  readonly #registered = Promise.withResolvers<void>();
  #link: LastingLink | undefined;
  #connection: Connection | undefined;
  #timer: Timer | undefined;

  constructor(deps: ControlLinkDependencies) {
    this.#deps = deps;
  }

  /** Settles when control knows this node. @param refused told when control will have this node no more: others have its work */
  join(dial: () => Promise<Connection>, address: string, refused: (error: RaiaError) => void): Promise<void> {
    const connected = (connection: Connection): void => this.#connected(connection, refused);
    const link = new LastingLink({ clock: this.#deps.clock, peer: address, dial, connected });
    this.#link = link;
    link.open().catch((error: unknown) => this.#registered.reject(error));
    return this.#registered.promise;
  }

  #connected(connection: Connection, refused: (error: RaiaError) => void): void {
    const { node, serve, available, bundles, hosted } = this.#deps;
    this.#connection = connection;
    serve(connection);
    for (const report of this.#unacknowledged) this.#send(report, connection);
    const { nodeId, address, resources, labels } = node;
    const control = connection.client(controlService);
    control.registerNode({ nodeId, address, total: resources, labels, actors: hosted(), bundles: bundles() }).then(
      () => {
        // A node that comes back may have lent much of what registering promised.
        control.reportNode({ nodeId, available: available() });
        this.#registered.resolve();
      },
      (error: unknown) => {
        // Lost once more: it registers over the next one.
        if (RaiaError.is(error) && error.code !== "CONNECTION_LOST") refused(error);
      },
    );
  }

  /** Something was lent or came back. */
  reportSoon(): void {
    if (this.#timer !== undefined) return;
    const { clock, node, available } = this.#deps;
    this.#timer = clock.after(REPORT_EVERY_MS, () => {
      this.#timer = undefined;
      this.#connection?.client(controlService).reportNode({ nodeId: node.nodeId, available: available() });
    });
  }

  /** @param intended it was to end: no restart */
  actorEnded(actor: { readonly actorId: string; readonly incarnation: number }, cause: DeathCause, intended: boolean): void {
    const { actorId, incarnation } = actor;
    this.#report((control) => control.actorEnded({ actorId, incarnation, cause, intended }));
  }

  ownerEnded(workerId: string): void {
    this.#report((control) => control.ownerEnded({ workerId }));
  }

  #report(report: Report): void {
    this.#unacknowledged.add(report);
    if (this.#connection?.isClosed === false) this.#send(report, this.#connection);
  }

  #send(report: Report, connection: Connection): void {
    report(connection.client(nodeReports)).then(
      () => this.#unacknowledged.delete(report),
      () => {
        // It goes out again over the next connection.
      },
    );
  }

  close(): void {
    this.#timer?.cancel();
    this.#link?.close(new RaiaError("SHUTTING_DOWN", {}));
  }
}
