/**
 * Which cluster a process means. What the program says comes first, then RAIA_ADDRESS, then RAY_ADDRESS; without any of
 * them it is this user's running cluster if there is one, else a new one.
 */
import { RaiaError } from "../base/errors.ts";

export type ClusterAddress =
  /** A new cluster that goes with its driver. */
  | { readonly kind: "local" }
  /** This user's running cluster, which must be there. `asked` says who wants it, for errors. */
  | { readonly kind: "running"; readonly asked: string }
  /** The cluster of a session directory. */
  | { readonly kind: "session"; readonly path: string; readonly asked: string }
  /** This user's running cluster, or a new one. */
  | { readonly kind: "any" };

/** @throws {RaiaError} CLUSTER_NOT_FOUND naming the variable, when the address is of a kind that nothing here can answer */
export function clusterAddress(option: string | undefined, env: { readonly [name: string]: string | undefined }): ClusterAddress {
  const named = [
    ["address", option],
    ["RAIA_ADDRESS", env["RAIA_ADDRESS"]],
    ["RAY_ADDRESS", env["RAY_ADDRESS"]],
  ] as const;
  const [source, text] = named.find(([, value]) => value !== undefined && value !== "") ?? [];
  if (source === undefined || text === undefined) return { kind: "any" };
  const asked = `${source}=${text}`;
  if (text === "local") return { kind: "local" };
  if (text === "auto") return { kind: "running", asked };
  // A path is all that a cluster of one machine can be reached at; the socket of its head is as good as its directory.
  if (text.startsWith("/")) return { kind: "session", path: text.replace(/\/head$|\/+$/, ""), asked };
  throw new RaiaError("CLUSTER_NOT_FOUND", {
    asked,
    reason: "no Raia head answers there; an address is auto, local or the path of a session directory",
  });
}
