/**
 * Asks the owners of objects that are not this process's: one client for each owner's connection. When one is lost the
 * owner is dialled again: refused means that it is gone; else it is told what this process holds, since news of that may
 * have been lost, and what waited for an answer asks again.
 */
import { RaiaError } from "../../base/errors.ts";
import type { OwnerAddress } from "../../messages/common.ts";
import { ownerService } from "../../messages/owners.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import type { Client } from "../../wire/service.ts";
import type { ReferenceTable } from "../objects/references.ts";

export class OwnerClient {
  readonly #endpoint: Endpoint;
  readonly #table: ReferenceTable;
  readonly #clients = new Map<Connection, Client<typeof ownerService>>();

  constructor(endpoint: Endpoint, table: ReferenceTable) {
    this.#endpoint = endpoint;
    this.#table = table;
  }

  async dial(owner: OwnerAddress): Promise<Client<typeof ownerService>> {
    const connection = await this.#endpoint.reach(owner.address);
    const known = this.#clients.get(connection);
    if (known !== undefined) return known;
    const client = connection.client(ownerService);
    this.#clients.set(connection, client);
    connection.onClosed(() => {
      this.#clients.delete(connection);
      void this.#resume(owner);
    });
    return client;
  }

  /**
   * What is asked must be safe to repeat: it goes out again while the owner lives.
   *
   * @throws {RaiaError} CONNECTION_LOST when the owner is gone
   */
  async ask<T>(owner: OwnerAddress, request: (client: Client<typeof ownerService>) => Promise<T>): Promise<T> {
    for (;;) {
      const client = await this.dial(owner);
      try {
        return await request(client);
      } catch (error) {
        if (!RaiaError.is(error, "CONNECTION_LOST")) throw error;
      }
    }
  }

  async #resume(owner: OwnerAddress): Promise<void> {
    const borrowerId = this.#table.self.workerId;
    try {
      const { unknown } = await this.ask(owner, (client) =>
        client.borrowsHeld({ borrowerId, sequences: this.#table.borrows.of(owner.workerId) }),
      );
      this.#table.borrows.unknown(owner.workerId, unknown);
    } catch {
      // It cannot be reached, or this process is leaving: whoever waits for its objects must hear so.
      await this.#table.borrows.ownerDied(owner.workerId);
    }
  }

  /** For what an owner that is gone need not hear: its death says more, and whoever waits for its objects is told. */
  tell(owner: OwnerAddress, send: (client: Client<typeof ownerService>) => unknown): void {
    void this.dial(owner).then(send, () => {
      // The owner is gone, and what was its with it.
    });
  }

  /** Why an object is not there yet, in its owner's words, and which process that is. */
  async explain(owner: OwnerAddress, sequence: number, path: readonly string[], withinMs: number) {
    const connection = await this.#endpoint.dial(owner.address);
    const client = await this.dial(owner);
    return { ...(await client.explainOwned({ sequence, path: [...path], withinMs })), pid: connection.peerPid };
  }
}
