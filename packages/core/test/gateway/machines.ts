/** Machines for tests of gateways: each a session directory, a gateway in this process, and endpoints behind it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, realClock } from "../../src/base/clock.ts";
import { realRandom } from "../../src/base/random.ts";
import type { GatewayOptions, GatewaySecurity } from "../../src/gateway/gateway-options.ts";
import { type GatewayEvents, type RunningGateway, runGateway } from "../../src/gateway/gateway-runner.ts";
import type { Connection } from "../../src/wire/connection.ts";
import { Endpoint } from "../../src/wire/endpoint.ts";
import { GatewayTransport } from "../../src/wire/gateway-transport.ts";
import { bytes, u32 } from "../../src/wire/schema.ts";
import { message, service, unary } from "../../src/wire/service.ts";
import type { Transport } from "../../src/wire/transport.ts";

const Echo = message(900, "Echo", { body: bytes });
const Measure = message(902, "Measure", { body: bytes });
const Size = message(901, "Size", { bytes: u32 });
export const echoService = service("echo", { echo: unary(Echo, Echo), measure: unary(Measure, Size) });

export const SECRET = "a secret of tests";

export interface Machine {
  readonly directory: string;
  readonly sessionPath: string;
  readonly gateway: RunningGateway;
  readonly address: string;
  readonly transport: Transport;
  readonly renewals: number;
  readonly renewalErrors: readonly unknown[];
  /** A process of this machine that answers `echoService`. */
  endpoint(name: string, secret?: string): Promise<Endpoint>;
  stop(): Promise<void>;
}

export interface MachineOptions extends Partial<GatewayOptions> {
  readonly clock?: Clock;
  /** The same as an earlier machine's: it starts again. */
  readonly directory?: string;
}

/** Stops and deletes all that was started through it. */
export class Machines {
  readonly #started: Machine[] = [];
  readonly #directories: string[] = [];

  folder(): string {
    const directory = mkdtempSync(join(tmpdir(), "gw-"));
    this.#directories.push(directory);
    return directory;
  }

  async start(security: (directory: string) => GatewaySecurity, options: MachineOptions = {}): Promise<Machine> {
    const { clock = realClock, directory = this.folder(), ...rest } = options;
    const sessionPath = mkdtempSync(join(directory, "s-"));
    const renewals = { count: 0, errors: [] as unknown[] };
    const events: GatewayEvents = {
      renewed: () => void renewals.count++,
      renewalFailed: (error) => void renewals.errors.push(error),
    };
    const listen = { host: "127.0.0.1", port: 0 };
    const gateway = await runGateway(
      { listen, ...rest, sessionPath, security: security(directory) },
      { clock, random: realRandom },
      events,
    );
    const socketPath = (name: string): string => join(sessionPath, name);
    const address = gateway.facts.machine ?? "";
    const transport = new GatewayTransport({ machine: address, socketPath });
    const endpoints: Endpoint[] = [];
    const machine: Machine = {
      directory,
      sessionPath,
      gateway,
      address,
      transport,
      get renewals() {
        return renewals.count;
      },
      renewalErrors: renewals.errors,
      async endpoint(name, secret = gateway.facts.secret) {
        const endpoint = new Endpoint(transport, { peerId: name, pid: process.pid, address: `${address}/${name}`, secret }, realClock, {
          connected: (connection: Connection) =>
            connection.serve(echoService, { echo: (request) => request, measure: ({ body }) => ({ bytes: body.length }) }),
        });
        await endpoint.listen();
        endpoints.push(endpoint);
        return endpoint;
      },
      async stop() {
        await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close()));
        await gateway.close();
      },
    };
    this.#started.push(machine);
    return machine;
  }

  /** A machine with an authority. */
  head(options: MachineOptions & { readonly leafLifetimeMs?: number } = {}): Promise<Machine> {
    const { leafLifetimeMs, ...rest } = options;
    const lifetime = leafLifetimeMs === undefined ? {} : { leafLifetimeMs };
    return this.start(
      (directory) => ({ kind: "authority", directory: join(directory, "ca"), secret: SECRET, role: "control", id: "head", ...lifetime }),
      rest,
    );
  }

  /** A machine that joins with a new token. */
  async member(head: Machine, id: string, options: MachineOptions = {}): Promise<Machine> {
    const token = await head.gateway.authority?.issueToken("node");
    return this.start(
      (directory) => ({
        kind: "join",
        address: head.address,
        role: "node",
        id,
        directory: join(directory, "identity"),
        ...(token !== undefined && { token }),
      }),
      { listen: { host: "127.0.0.2", port: 0 }, ...options },
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.splice(0).map((machine) => machine.stop()));
    for (const directory of this.#directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  }
}
