import { lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { realClock } from "./clock.ts";
import { realRandom } from "./random.ts";
import { attempt, checkPrivate, makePrivate, refuse, removeDirectory } from "./private-directory.ts";
import { isSameProcess, type ProcessMark, processMark } from "./process-mark.ts";
import {
  GARBAGE_PREFIX,
  garbageIn,
  logsRoots,
  SESSION_PREFIX,
  type SessionEnvironment,
  sessionNames,
  sessionRoot,
  sessionRoots,
} from "./session-roots.ts";

/**
 * Where the sockets of one running cluster are, on one machine. This is an adapter: it touches the disk.
 *
 * A private root holds one directory per session, and logs beside them, which stay when their session goes. Everything is
 * 0700, owned by this user and not a link; what is not so is refused, never repaired, since somebody else may have made it.
 */
export interface SessionDirectory {
  /** The last part of `path`. */
  readonly name: string;
  readonly path: string;
  /** Outlives the session; `pruneLogs` bounds what is kept. */
  readonly logsPath: string;
  /** @throws {RaiaError} SESSION_DIRECTORY when the path is longer than a socket's may be */
  socketPath(name: string): string;
  /** Deletes what a process that was shot listened on; an address that is no socket of this session is left alone. */
  removeSocket(address: string): void;
  /** Notes what other processes of this user need to find the session, such as an address. Replaces what was noted before. */
  publish(facts: SessionFacts): void;
  /** Deletes the directory with all that is in it. Safe to repeat. */
  remove(): void;
}

/** Small and plain: it is JSON in a file of the session. */
export type SessionFacts = { readonly [name: string]: string | number | boolean };

export interface FoundSession {
  readonly name: string;
  readonly path: string;
  readonly facts: SessionFacts;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly madeAtMs: number;
  /** `running`: it answers. `silent`: its process is there and does not answer, perhaps it is stopped. */
  readonly state: "running" | "silent";
}

/** `sun_path` less its closing zero. */
const MAX_SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;
/** No socket of a session has a longer name, so a root that is too long is refused before anything starts. */
const MAX_SOCKET_NAME_CHARS = 24;
const SESSION_FILE = "session.json";
/** A session without its file is being made; after so long its maker is dead. */
const MAKING_MS = 60_000;

/**
 * Makes the directory of a new session.
 *
 * @throws {RaiaError} SESSION_DIRECTORY when no private directory can be made, or only one too long for sockets
 */
export function makeSessionDirectory(environment: SessionEnvironment): SessionDirectory {
  const path = makeIn(environment);
  try {
    const session = openSession(environment, path);
    session.socketPath("x".repeat(MAX_SOCKET_NAME_CHARS));
    session.publish({});
    return session;
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
}

function makeIn(environment: SessionEnvironment, attemptsLeft = 3): string {
  const root = sessionRoot(environment);
  try {
    return mkdtempSync(join(root, SESSION_PREFIX));
  } catch (error) {
    // The last session of another program was just removed, and the root with it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && attemptsLeft > 1) return makeIn(environment, attemptsLeft - 1);
    return attempt(root, "make", () => {
      throw error;
    });
  }
}

/** Takes over a session that another process made: from the next `publish` on, this process is who must be alive for it. */
export function adoptSessionDirectory(environment: SessionEnvironment, path: string): SessionDirectory {
  checkPrivate(path);
  return openSession(environment, path);
}

/** The directory of a session that another process made, and publishes and removes, after the same checks. */
export function joinSessionDirectory(
  environment: SessionEnvironment,
  path: string,
): Omit<SessionDirectory, "publish" | "remove" | "removeSocket"> {
  return adoptSessionDirectory(environment, path);
}

/**
 * This user's sessions on this machine, newest first. A session whose process is gone and that does not answer is deleted.
 *
 * @param probe whether the session answers; asked at most once for each
 */
export async function findSessions(
  environment: SessionEnvironment,
  probe: (session: { readonly path: string; readonly facts: SessionFacts }) => Promise<boolean>,
): Promise<FoundSession[]> {
  removeGarbage(environment);
  const found = await Promise.all(
    sessionRoots(environment).flatMap((root) =>
      sessionNames(root).map(async (name): Promise<FoundSession | undefined> => {
        const path = join(root, name);
        const record = readRecord(path);
        if (record === undefined) {
          if (isAbandoned(path)) removeSession(path);
          return undefined;
        }
        const { facts, mark, madeAtMs } = record;
        const isAlive = isSameProcess(mark);
        // Both must fail: a process in another container cannot be seen, and one that is stopped does not answer.
        const answers = await probe({ path, facts }).catch(() => false);
        if (!answers && !isAlive) {
          removeSession(path);
          return undefined;
        }
        return { name, path, facts, pid: mark.pid, state: answers ? "running" : "silent", madeAtMs };
      }),
    ),
  );
  return found.filter((session) => session !== undefined).sort((a, b) => b.madeAtMs - a.madeAtMs);
}

/** Deletes sessions whose process is gone and that do not answer; asks no others. */
export async function removeStaleSessions(
  environment: SessionEnvironment,
  probe: (session: { readonly path: string; readonly facts: SessionFacts }) => Promise<boolean>,
): Promise<void> {
  removeGarbage(environment);
  const paths = sessionRoots(environment).flatMap((root) => sessionNames(root).map((name) => join(root, name)));
  await Promise.all(
    paths.map(async (path) => {
      const record = readRecord(path);
      if (
        record === undefined
          ? isAbandoned(path)
          : !isSameProcess(record.mark) && !(await probe({ path, facts: record.facts }).catch(() => false))
      )
        removeSession(path);
    }),
  );
}

function removeGarbage(environment: SessionEnvironment): void {
  for (const root of sessionRoots(environment)) for (const name of garbageIn(root)) removeDirectory(join(root, name));
}

function openSession(environment: SessionEnvironment, path: string): SessionDirectory {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const logsPath = makeLogs(environment, name);
  const madeAtMs = realClock.wallMs();
  return {
    name,
    path,
    logsPath,
    socketPath(socketName) {
      const socketPath = join(path, socketName);
      const bytes = Buffer.byteLength(socketPath);
      if (bytes > MAX_SOCKET_PATH_BYTES)
        throw refuse(socketPath, `is ${bytes} bytes long; a socket's path has at most ${MAX_SOCKET_PATH_BYTES}`);
      return socketPath;
    },
    removeSocket(address) {
      if (dirname(address) === path && lstatSync(address, { throwIfNoEntry: false })?.isSocket() === true) rmSync(address, { force: true });
    },
    publish(facts) {
      const record: SessionRecord = { mark: processMark(process.pid), madeAtMs, facts };
      // Renaming is atomic: a reader sees the old record or the new one, never half of one.
      const draft = join(path, `.${SESSION_FILE}.${Buffer.from(realRandom.bytes(4)).toString("hex")}`);
      attempt(draft, "write", () => writeFileSync(draft, JSON.stringify(record), { mode: 0o600, flag: "wx" }));
      renameSync(draft, join(path, SESSION_FILE));
    },
    remove: () => removeSessionDirectory(path),
  };
}

/** The directory of a session's logs, in the first place that takes it; the last one's error is the one to tell. */
function makeLogs(environment: SessionEnvironment, name: string): string {
  const roots = logsRoots(environment);
  for (const root of roots.slice(0, -1)) {
    try {
      return makeLogsIn(root, name);
    } catch {
      // A home that is not there, or not this user's to write.
    }
  }
  return makeLogsIn(roots.at(-1)!, name);
}

function makeLogsIn(root: string, name: string): string {
  attempt(root, "make", () => mkdirSync(dirname(root), { recursive: true }));
  const path = join(makePrivate(root), name);
  attempt(path, "make", () => mkdirSync(path, { recursive: true, mode: 0o700 }));
  return path;
}

/** Whether others can still find the session. What cannot be told counts as there. */
export function isSessionThere(path: string): boolean {
  try {
    return lstatSync(join(path, SESSION_FILE), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** Deletes a session's directory, and the root with it when no other session is there. Safe to repeat. */
export function removeSessionDirectory(path: string): void {
  removeSession(path);
  try {
    rmdirSync(dirname(path));
  } catch {
    // Another session is there, or somebody was quicker.
  }
}

/** Under another name first: whoever is shot half way leaves something that the next look knows to be garbage. */
function removeSession(path: string): void {
  const garbage = join(dirname(path), `${GARBAGE_PREFIX}${basename(path)}`);
  try {
    renameSync(path, garbage);
  } catch {
    // It is gone, or a former try left its remains there.
    removeDirectory(path);
  }
  removeDirectory(garbage);
}

/** What its maker has published of a session; nothing of one that cannot be read. */
export function sessionFacts(path: string): SessionFacts {
  return readRecord(path)?.facts ?? {};
}

interface SessionRecord {
  readonly mark: ProcessMark;
  readonly madeAtMs: number;
  readonly facts: SessionFacts;
}

const MAX_RECORD_BYTES = 64 * 1024; // It is read before it is trusted.

function readRecord(path: string): SessionRecord | undefined {
  try {
    checkPrivate(path);
    const file = join(path, SESSION_FILE);
    if (lstatSync(file).size > MAX_RECORD_BYTES) return undefined;
    const record = JSON.parse(readFileSync(file, "utf8")) as Partial<SessionRecord>;
    const isWhole = typeof record.mark?.pid === "number" && typeof record.facts === "object" && record.facts !== null;
    return isWhole ? { mark: record.mark, madeAtMs: Number(record.madeAtMs) || 0, facts: record.facts } : undefined;
  } catch {
    return undefined; // Half made or gone meanwhile; `isAbandoned` decides.
  }
}

function isAbandoned(path: string): boolean {
  try {
    return realClock.wallMs() - lstatSync(path).mtimeMs > MAKING_MS;
  } catch {
    return false; // Somebody else cleaned it up.
  }
}
