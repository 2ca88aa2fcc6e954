/** What a driver's options say of the cluster that it starts; the others say where it is and how it is used. */
import type { DriverOptions } from "../api/init.ts";

export function clusterOptionsOf({
  address: _address,
  namespace: _namespace,
  logToDriver: _log,
  warnUnhandledErrors: _warn,
  mode: _mode,
  labels = {},
  objectStoreMemory,
  spillDirectory,
  ...resources
}: DriverOptions) {
  return { labels, objectStoreMemory, spillDirectory, resources };
}
