/** The control plane as a process of its own that can be killed and started again; what it has acknowledged is kept. */
import type { Clock } from "../base/clock.ts";
import { newWorkerId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import { ControlServer } from "../control/control-server.ts";
import { MemoryRecordStore } from "../control/memory-record-store.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { ProcessShell, type ShellDependencies } from "./in-process-shell.ts";

export interface InProcessControlOptions extends ShellDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly address: string;
  readonly secret: string;
  readonly pid: number;
}

export class InProcessControl {
  readonly #options: InProcessControlOptions;
  readonly #records = new MemoryRecordStore();
  #endpoint: Endpoint | undefined;
  shell: ProcessShell;
  server: ControlServer;

  constructor(options: InProcessControlOptions) {
    this.#options = options;
    this.shell = new ProcessShell("control", options);
    this.server = this.#newServer();
  }

  #newServer(): ControlServer {
    return new ControlServer({ clock: this.shell.clock, random: this.#options.random, store: this.#records });
  }

  async start(): Promise<void> {
    const { address, pid, random, secret } = this.#options;
    const { server } = this;
    await server.load();
    const identity = { peerId: newWorkerId(random), pid, address, secret };
    this.#endpoint = new Endpoint(this.shell.transport, identity, this.shell.clock, { connected: (peer) => server.attach(peer) });
    await this.#endpoint.listen();
  }

  /** As `kill -9`; nobody answers until `startAgain`. */
  kill(): void {
    this.shell.end();
  }

  startAgain(): Promise<void> {
    this.shell = new ProcessShell("control", this.#options);
    this.server = this.#newServer();
    return this.start();
  }

  async stop(): Promise<void> {
    await this.#endpoint?.close();
    await this.server.close();
    this.shell.end();
  }
}
