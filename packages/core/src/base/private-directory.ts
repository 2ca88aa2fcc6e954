import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { RaiaError } from "./errors.ts";

/**
 * Directories that nobody else can read or change: 0700, owned by this user, not a link. What is not so is refused, never
 * repaired, since whoever made it may still be in it. An adapter: it touches the disk.
 */

/** Makes the directory if it is missing, and checks it. @throws {RaiaError} SESSION_DIRECTORY with path and reason */
export function makePrivate(path: string): string {
  attempt(path, "make", () => {
    try {
      mkdirSync(path, { mode: 0o700 });
      chmodSync(path, 0o700); // A umask may have taken more than it should.
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
    }
  });
  checkPrivate(path);
  return path;
}

export function checkPrivate(path: string): void {
  const status = attempt(path, "read", () => lstatSync(path));
  if (status.isSymbolicLink()) throw refuse(path, "is a symbolic link");
  if (!status.isDirectory()) throw refuse(path, "is not a directory");
  const uid = process.getuid?.();
  if (uid !== undefined && status.uid !== uid) throw refuse(path, `belongs to user ${status.uid}, not to user ${uid}`);
  const mode = status.mode & 0o777;
  if (mode !== 0o700) throw refuse(path, `has mode ${mode.toString(8)}, not 700`);
}

export function isPrivate(path: string): boolean {
  try {
    checkPrivate(path);
    return true;
  } catch {
    return false; // Not there, or not ours to read: either way no session of ours is in it.
  }
}

export function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new RaiaError("SESSION_DIRECTORY", { path, reason: `cannot ${what} it: ${code}` }, { cause: error });
  }
}

export function refuse(path: string, reason: string): RaiaError {
  return new RaiaError("SESSION_DIRECTORY", { path, reason });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

export function removeDirectory(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // A file appeared while it was deleted (a worker's last socket): the next start cleans it up.
  }
}
