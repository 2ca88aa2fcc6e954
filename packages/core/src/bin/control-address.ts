/** Where the control plane of a session listens: in a process of its own where the cluster stands by itself, else in the head. */
import { join } from "node:path";

/** The socket of the node's daemon, which with `init()` is the whole head. */
export const NODE_SOCKET = "head";
const CONTROL_SOCKET = "control";

/** @param isStanding the cluster was started by `raia start` */
export function controlAddressFor(sessionPath: string, isStanding: boolean): string {
  return join(sessionPath, isStanding ? CONTROL_SOCKET : NODE_SOCKET);
}
