/**
 * A process behind a gateway, for tests that kill it or block who started it:
 *
 *     peer-main.ts SESSION_PATH MACHINE NAME SECRET [ADDRESS CALLS]
 *
 * Answers `echoService` until it is killed; with ADDRESS it makes that many calls there, one after another, and ends.
 */
import { join } from "node:path";
import { realClock } from "../../src/base/clock.ts";
import { Endpoint } from "../../src/wire/endpoint.ts";
import { GatewayTransport } from "../../src/wire/gateway-transport.ts";
import { echoService } from "./machines.ts";

const [sessionPath = "", machine = "", name = "", secret = "", address, calls = "1"] = process.argv.slice(2);
const transport = new GatewayTransport({ machine, socketPath: (socket) => join(sessionPath, socket) });
const identity = { peerId: name, pid: process.pid, address: `${machine}/${name}`, secret };
const endpoint = new Endpoint(transport, identity, realClock, {
  connected: (connection) => connection.serve(echoService, { echo: (request) => request, measure: ({ body }) => ({ bytes: body.length }) }),
});
await endpoint.listen();
if (address === undefined) {
  process.stdout.write("ready\n");
} else {
  const client = (await endpoint.dial(address)).client(echoService);
  for (let call = 0; call < Number(calls); call++) await client.echo({ body: Buffer.from("again") });
  process.stdout.write(`${calls} calls\n`);
  if (process.argv.includes("--stay")) setInterval(() => {}, 1e6);
  else await endpoint.close();
}
