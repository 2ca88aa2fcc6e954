import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isPrivate, removeDirectory } from "./private-directory.ts";
import { logsRoots, type SessionEnvironment, sessionNames, sessionRoots } from "./session-roots.ts";

const LOG_KEEP_COUNT = 20;
const LOG_KEEP_BYTES = 1 << 30;

/** Deletes the oldest logs beyond 20 sessions or 1 GiB, but never those of a session that still has its directory. */
export function pruneLogs(environment: SessionEnvironment): void {
  const live = new Set(sessionRoots(environment).flatMap(sessionNames));
  const logs = logsRoots(environment)
    .filter((root) => isPrivate(root))
    .flatMap((root) => sessionNames(root).map((name) => ({ name, path: join(root, name), ...directorySize(join(root, name)) })))
    .sort((a, b) => b.changedAtMs - a.changedAtMs);
  let bytes = 0;
  for (const [index, log] of logs.entries()) {
    bytes += log.bytes;
    if ((index >= LOG_KEEP_COUNT || bytes > LOG_KEEP_BYTES) && !live.has(log.name)) removeDirectory(log.path);
  }
}

function directorySize(path: string): { bytes: number; changedAtMs: number } {
  let bytes = 0;
  let changedAtMs = 0;
  try {
    for (const entry of readdirSync(path)) {
      const status = lstatSync(join(path, entry));
      bytes += status.size;
      changedAtMs = Math.max(changedAtMs, status.mtimeMs);
    }
  } catch {
    // Deleted while it was counted: it counts for what was seen.
  }
  return { bytes, changedAtMs };
}
