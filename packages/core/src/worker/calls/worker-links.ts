/** The workers that this process pushes calls to: one link for each connection, made when it is first wanted. */
import type { Spinner } from "../../base/spinner.ts";
import type { Connection } from "../../wire/connection.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { WorkerLink } from "./worker-link.ts";

export class WorkerLinks {
  readonly #endpoint: Endpoint;
  readonly #spinner: Spinner;
  readonly #links = new Map<Connection, WorkerLink>();

  constructor(endpoint: Endpoint, spinner: Spinner) {
    this.#endpoint = endpoint;
    this.#spinner = spinner;
  }

  async dial(address: string): Promise<WorkerLink> {
    const connection = await this.#endpoint.reach(address);
    let link = this.#links.get(connection);
    if (link === undefined) {
      link = new WorkerLink(connection, this.#spinner);
      this.#links.set(connection, link);
      connection.onClosed(() => this.#links.delete(connection));
    }
    return link;
  }
}
