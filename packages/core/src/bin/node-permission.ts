/** Node's permission model: what it withholds from Raia is told at once, and together. */
import { RaiaError } from "../base/errors.ts";

/** As Node has it in `process.permission`, which is absent without `--permission`. */
interface Permission {
  has(scope: string): boolean;
}

/** @throws {RaiaError} CLUSTER_START_FAILED with the flags that are missing */
export function checkPermission(permission: Permission | undefined = process.permission, flags?: ReadonlySet<string>): void {
  if (permission === undefined) return;
  // Not as a default: Node makes the set when it is first asked for, in a millisecond.
  const knownFlags = flags ?? process.allowedNodeEnvironmentFlags;
  const allowed = {
    // Of everything: shared memory is opened by way of /proc, under names that nobody knows beforehand.
    "--allow-fs-read=*": permission.has("fs.read"),
    "--allow-fs-write=*": permission.has("fs.write"),
    "--allow-child-process": permission.has("child"),
    // Shared memory is mapped by native code, sockets of this machine count as network, and captured variables are read with
    // the inspector.
    "--allow-addons": permission.has("addon"),
    "--allow-net": permission.has("net"),
    "--allow-inspector": permission.has("inspector"),
  };
  // Node 24 has no permission for some of it, and withholds nothing.
  const missing = Object.entries(allowed).flatMap(([flag, isAllowed]) =>
    isAllowed || !knownFlags.has(flag.replace("=*", "")) ? [] : [flag],
  );
  if (missing.length === 0) return;
  const needed = missing.join(" ");
  throw new RaiaError("CLUSTER_START_FAILED", {
    reason: "Node runs with --permission, and withholds what Raia cannot do without",
    missing: needed,
    wayOut: `start Node with ${needed}`,
  });
}
