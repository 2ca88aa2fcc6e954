/**
 * Files that nobody else may read: mode 0600, of this user, no link, in a private directory. What is not so is refused with its name
 * and never replaced or worked around: somebody else may have read or written it.
 */
import { constants, closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { RaiaError } from "../base/errors.ts";
import { checkPrivate, makePrivate } from "../base/private-directory.ts";

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Makes it if it is missing. @throws {RaiaError} CREDENTIALS when it is not private */
export function openPrivateDirectory(path: string): void {
  guard(path, () => makePrivate(path));
}

/** @returns `undefined` when there is no such file. @throws {RaiaError} CREDENTIALS, naming the file, when it is not private */
export function readPrivateFile(path: string): string | undefined {
  guard(dirname(path), () => checkPrivate(dirname(path)));
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw refused(path, codeOf(error) === "ELOOP" ? "is a symbolic link" : `cannot be read: ${codeOf(error)}`, error);
  }
  try {
    // Of what was opened, not of what the name stands for by now.
    const { uid, mode, size, isFile } = statusOf(descriptor);
    const user = process.getuid?.();
    if (!isFile) throw refused(path, "is not a file");
    if (user !== undefined && uid !== user) throw refused(path, `belongs to user ${uid}, not to user ${user}`);
    if ((mode & 0o777) !== 0o600) throw refused(path, `has mode ${(mode & 0o777).toString(8)}, not 600`);
    if (size > MAX_FILE_BYTES) throw refused(path, `has ${size} bytes; nothing that belongs there has`);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

/** Whole or not at all, also when the machine stops on the way. */
export function writePrivateFile(path: string, content: string): void {
  guard(path, () => {
    checkPrivate(dirname(path));
    const draft = join(dirname(path), `.${basename(path)}.${process.pid}`);
    writeFileSync(draft, content, { mode: 0o600, flush: true });
    renameSync(draft, path);
    const directory = openSync(dirname(path), "r");
    fsyncSync(directory);
    closeSync(directory);
  });
}

export function refused(path: string, reason: string, cause?: unknown): RaiaError {
  return new RaiaError("CREDENTIALS", { path, reason }, { cause });
}

function statusOf(descriptor: number): { uid: number; mode: number; size: number; isFile: boolean } {
  const status = fstatSync(descriptor);
  return { uid: status.uid, mode: status.mode, size: status.size, isFile: status.isFile() };
}

function guard<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (RaiaError.is(error, "SESSION_DIRECTORY")) throw new RaiaError("CREDENTIALS", error.facts, { cause: error });
    throw refused(path, `cannot be used: ${codeOf(error)}`, error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
