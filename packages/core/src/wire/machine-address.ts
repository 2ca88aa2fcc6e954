/**
 * Where a process is in a cluster of many machines: `HOST:PORT/NAME`, the public port of its machine and the file name of its
 * socket there; IPv6 hosts in brackets. A plain path is a socket of this machine.
 */
import { RaiaError } from "../base/errors.ts";

export interface MachineAddress {
  readonly host: string;
  readonly port: number;
}

export interface ProcessAddress {
  /** `HOST:PORT`, as machines name one another. */
  readonly machine: string;
  /** The file name of its socket in its machine's session directory. */
  readonly name: string;
}

/** The socket at which a machine's gateway takes what its own processes dial. Never a target from outside. */
export const GATEWAY_SOCKET = "gateway";

/** As a session directory allows. What comes from a peer becomes a file name, so nothing here may mean another folder. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/;
const MAX_HOST_CHARS = 253;
const hostPattern = /^(?:\[(?<v6>[0-9A-Fa-f:.]{2,45})\]|(?<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)):(?<port>\d{1,5})$/;

export function isSocketName(name: string): boolean {
  return namePattern.test(name) && name !== GATEWAY_SOCKET;
}

/** @throws {RaiaError} INVALID_ARGUMENT when it is no `HOST:PORT` */
export function parseMachine(address: string): MachineAddress {
  const { v6, name, port: digits } = hostPattern.exec(address)?.groups ?? {};
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || host.length > MAX_HOST_CHARS || port > 65_535)
    throw new RaiaError("INVALID_ARGUMENT", { address, reason: "an address of a machine is HOST:PORT, IPv6 in brackets" });
  return { host, port };
}

export function formatMachine({ host, port }: MachineAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `undefined` for a plain path. @throws {RaiaError} INVALID_ARGUMENT when it is neither that nor `HOST:PORT/NAME` */
export function parseProcess(address: string): ProcessAddress | undefined {
  if (address.startsWith("/")) return undefined;
  const slash = address.indexOf("/");
  const name = address.slice(slash + 1);
  if (slash === -1 || !isSocketName(name))
    throw new RaiaError("INVALID_ARGUMENT", { address, reason: "an address of a process is HOST:PORT/NAME, or a path" });
  return { machine: formatMachine(parseMachine(address.slice(0, slash))), name };
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
