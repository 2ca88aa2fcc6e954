/** Who a certificate speaks for: `spiffe://CLUSTER/ROLE/ID`, the one subject alternative name that it has. */

export const roles = ["node", "control", "driver"] as const;
export type Role = (typeof roles)[number];

export interface PeerName {
  readonly clusterId: string;
  readonly role: Role;
  /** Of the node, control plane or driver. */
  readonly id: string;
}

const part = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const uri = /^spiffe:\/\/([^/]+)\/([^/]+)\/([^/]+)$/;

export function isPeerId(id: string): boolean {
  return part.test(id);
}

export function isRole(role: string): role is Role {
  return (roles as readonly string[]).includes(role);
}

export function formatPeerName({ clusterId, role, id }: PeerName): string {
  return `spiffe://${clusterId}/${role}/${id}`;
}

/** `undefined` for another form or another role. */
export function parsePeerName(text: string): PeerName | undefined {
  const [, clusterId = "", role = "", id = ""] = uri.exec(text) ?? [];
  return isPeerId(clusterId) && isRole(role) && isPeerId(id) ? { clusterId, role, id } : undefined;
}
