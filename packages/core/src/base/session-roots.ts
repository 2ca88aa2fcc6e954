import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isPrivate, makePrivate } from "./private-directory.ts";

/** Which directories of this machine hold sessions of this user, and which their logs. */
export interface SessionEnvironment {
  readonly env: { readonly [name: string]: string | undefined };
  /** Default `os.tmpdir()`. */
  readonly temporaryDirectory?: string;
}

export const SESSION_PREFIX = "s-";
/** Of a session that is being deleted. */
export const GARBAGE_PREFIX = "gone-";

/** Where to look: without RAIA_TMPDIR in both places, since a session may have been started from a shell without XDG_RUNTIME_DIR. */
export function sessionRoots(environment: SessionEnvironment): string[] {
  return candidateRoots(environment).filter((root) => isPrivate(root));
}

function candidateRoots({ env, temporaryDirectory = tmpdir() }: SessionEnvironment): string[] {
  if (env["RAIA_TMPDIR"]) return [resolve(env["RAIA_TMPDIR"], ownName())];
  const runtime = env["XDG_RUNTIME_DIR"] ? [resolve(env["XDG_RUNTIME_DIR"], "raia")] : [];
  return [...runtime, resolve(temporaryDirectory, ownName())];
}

export function sessionRoot(environment: SessionEnvironment): string {
  const roots = candidateRoots(environment);
  for (const root of roots.slice(0, -1)) {
    try {
      return makePrivate(root);
    } catch {
      // XDG_RUNTIME_DIR is often set to a directory that a container does not have; the next root's error is the one to tell.
    }
  }
  return makePrivate(roots.at(-1)!);
}

/**
 * Where logs may be, the best place first. Where people look for what programs leave: the state directory; else beside the
 * temporary root, since a service's user may have no home. Never in XDG_RUNTIME_DIR, which is memory.
 */
export function logsRoots({ env, temporaryDirectory = tmpdir() }: SessionEnvironment): string[] {
  if (env["RAIA_TMPDIR"]) return [resolve(env["RAIA_TMPDIR"], `${ownName()}-logs`)];
  const state = env["XDG_STATE_HOME"] || (env["HOME"] && join(env["HOME"], ".local", "state"));
  return [...(state ? [join(state, "raia-logs")] : []), resolve(temporaryDirectory, `${ownName()}-logs`)];
}

function ownName(): string {
  return `raia-${process.getuid?.() ?? "user"}`;
}

export function sessionNames(root: string): string[] {
  return namesIn(root, SESSION_PREFIX);
}

export function garbageIn(root: string): string[] {
  return namesIn(root, GARBAGE_PREFIX);
}

function namesIn(root: string, prefix: string): string[] {
  try {
    return readdirSync(root).filter((name) => name.startsWith(prefix));
  } catch {
    return []; // No root, no sessions.
  }
}
