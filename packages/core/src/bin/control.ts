/** Wires the control plane from its parts: its tables on disk, and a socket of the session. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { realClock } from "../base/clock.ts";
import { newWorkerId } from "../base/ids.ts";
import { realRandom } from "../base/random.ts";
import { joinSessionDirectory } from "../base/session-directory.ts";
import { readSecret } from "../base/session-secret.ts";
import { ControlServer } from "../control/control-server.ts";
import { SqliteRecordStore } from "../control/sqlite-record-store.ts";
import { dieWithParent } from "../store/posix.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { controlAddressFor } from "./control-address.ts";
import type { ControlOptions } from "./control-options.ts";

const SIGKILL = 9;

export async function runControl({ sessionPath, parentPid }: ControlOptions): Promise<void> {
  if (!dieWithParent(SIGKILL, parentPid)) process.exit(0);
  const session = joinSessionDirectory({ env: process.env }, sessionPath);
  const store = new SqliteRecordStore({ path: join(session.path, "control.db") });
  const server = new ControlServer({ clock: realClock, random: realRandom, store });
  await server.load();
  const address = controlAddressFor(session.path, true);
  // The one before it was shot, and left its socket.
  rmSync(address, { force: true });
  const identity = { peerId: newWorkerId(realRandom), pid: process.pid, address, secret: readSecret(session.path) };
  const endpoint = new Endpoint(ipcTransport, identity, realClock, { connected: (connection) => server.attach(connection) });
  await endpoint.listen();
}
