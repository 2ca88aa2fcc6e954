/** Looks at a cluster from outside: no job, no arena, no socket of its own. */
import { checkEnvironment } from "../api/environment.ts";
import { realClock } from "../base/clock.ts";
import { newWorkerId } from "../base/ids.ts";
import { realRandom } from "../base/random.ts";
import { readSecret } from "../base/session-secret.ts";
import { Endpoint } from "../wire/endpoint.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { LastingLink } from "../wire/lasting-link.ts";
import { ClusterState } from "../worker/state/cluster-state.ts";
import { clusterAddress } from "./cluster-address.ts";
import { controlAddressOf, findCluster } from "./standing.ts";

export interface Observer {
  readonly state: ClusterState;
  /** The session's directory. */
  readonly path: string;
  /** Of the process that is the control plane. */
  readonly controlPid: number;
  close(): Promise<void>;
}

/**
 * @param address the session's directory, or `auto`; default: RAIA_ADDRESS, else RAY_ADDRESS, else this user's standing cluster
 * @throws {RaiaError} CLUSTER_NOT_FOUND with who asked for it and why it cannot be
 */
export async function observeCluster(address?: string): Promise<Observer> {
  checkEnvironment(process.env);
  const meant = clusterAddress(address, process.env);
  // Who only looks starts nothing: a new cluster would have nothing to show.
  const isAny = meant.kind === "any" || meant.kind === "local";
  const path = (await findCluster(isAny ? { kind: "running", asked: "address=auto" } : meant)) as string;
  const identity = { peerId: newWorkerId(realRandom), pid: process.pid, address: "", secret: readSecret(path) };
  const endpoint = new Endpoint(ipcTransport, identity, realClock, { connected: () => {} }, true);
  const peer = controlAddressOf(path);
  let controlPid = 0;
  const control = new LastingLink({
    clock: realClock,
    peer,
    dial: () => endpoint.dial(peer),
    connected: ({ peerPid }) => (controlPid = peerPid),
    waits: keepAliveUntil,
  });
  await control.open();
  const state = new ClusterState({ clock: realClock, control, dial: (place) => endpoint.dial(place) });
  return { state, path, controlPid, close: () => endpoint.close() };
}

/** Control is being started again: whoever asks waits for it, though nothing else keeps this process. */
function keepAliveUntil(settled: Promise<unknown>): void {
  const handle = setInterval(() => {}, 2 ** 30);
  void settled.finally(() => clearInterval(handle));
}
