/**
 * A web server that counts visits. The counts live in an actor with a name, so any number of servers share them: the first
 * to ask creates the actor, the others find it. Here the first server also starts the cluster, and takes it along when it ends.
 *
 *   node examples/counter-server/main.ts --port 8081
 *   RAIA_ADDRESS=<what the first one printed> node examples/counter-server/main.ts --port 8082
 *   curl -X POST localhost:8081/hits/home; curl localhost:8082/hits
 */

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { get, init, remote, shutdown } from "raia";
import { Visits } from "./visits.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });

const { sessionDirectory } = await init({ namespace: "counter-server" });
const visits = remote(Visits).options({ name: "visits", getIfExists: true, maxRestarts: -1 }).remote();

const server = createServer((request, response) => {
  answer(request)
    .then(({ status, body }) => response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`))
    .catch((error: unknown) => response.writeHead(503).end(`${String(error)}\n`));
});
server.listen(Number(values.port), "127.0.0.1");
await once(server, "listening");
console.log(`RAIA_ADDRESS=${sessionDirectory} for the next server`);
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
server.close();
server.closeAllConnections();
await shutdown();

async function answer({ method, url }: IncomingMessage): Promise<{ status: number; body: unknown }> {
  if (url === "/hits" && method === "GET") return { status: 200, body: await get(visits.all.remote()) };
  const page = /^\/hits\/([\w-]{1,100})$/.exec(url ?? "")?.[1];
  if (page === undefined) return { status: 404, body: { error: "try GET /hits or POST /hits/<page>" } };
  if (method !== "POST") return { status: 405, body: { error: `${method} is not for ${url}` } };
  return { status: 200, body: { page, hits: await get(visits.add.remote(page)) } };
}
