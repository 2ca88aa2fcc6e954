/** Clusters that stand by themselves on this machine: started, found and stopped by the command line, joined by drivers. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkEnvironment, memoryThresholdOf } from "../api/environment.ts";
import { checkInitOptions } from "../api/options.ts";
import { realClock } from "../base/clock.ts";
import { currentDirectory } from "../base/current-directory.ts";
import { RaiaError } from "../base/errors.ts";
import { newWorkerId } from "../base/ids.ts";
import type { Labels } from "../base/labels.ts";
import { isSameProcess, processMark } from "../base/process-mark.ts";
import { realRandom } from "../base/random.ts";
import type { ResourceOptions } from "../base/resources.ts";
import {
  type FoundSession,
  findSessions,
  makeSessionDirectory,
  removeStaleSessions,
  type SessionDirectory,
  sessionFacts,
} from "../base/session-directory.ts";
import { sessionNames, sessionRoots } from "../base/session-roots.ts";
import { pruneLogs } from "../base/session-logs.ts";
import { makeSecret, readSecret } from "../base/session-secret.ts";
import { Connection } from "../wire/connection.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import type { ClusterAddress } from "./cluster-address.ts";
import { controlAddressFor, NODE_SOCKET } from "./control-address.ts";
import { startHead } from "./head-process.ts";
import { interrupted, lockStart } from "./start-lock.ts";

export interface StandingOptions extends ResourceOptions {
  /** Bytes. Default: 30 % of memory. */
  readonly objectStoreMemory?: number | undefined;
  readonly spillDirectory?: string | undefined;
  readonly labels?: Labels | undefined;
  /** Gives the start up: nothing is left of it. */
  readonly signal?: AbortSignal | undefined;
}

export interface StandingCluster {
  /** The session's directory: its address. */
  readonly path: string;
  readonly pid: number;
  readonly logsPath: string;
  /** Settles when the head is gone, with how it ended. For who started it and stays. */
  readonly ended: Promise<string>;
}

/** How long a head may take to say that it is there; one that is stopped never does. */
const ANSWER_TIMEOUT_MS = 1_000;
const STOP_GRACE_MS = 10_000;
const STOP_POLL_MS = 20;

/**
 * Starts a head that outlives this process.
 *
 * @throws {RaiaError} CLUSTER_START_FAILED with what it said, or when this user has a standing cluster already
 */
export async function startStanding({ signal: stopSignal, ...options }: StandingOptions): Promise<StandingCluster> {
  // What the head would refuse is refused here, where somebody reads it.
  checkEnvironment(process.env);
  checkInitOptions(options);
  await refuseSecond();
  const session = makeSessionDirectory({ env: process.env });
  try {
    const unlock = await lockStart(dirname(session.path), stopSignal);
    try {
      // Whoever had the lock before may have started one.
      await refuseSecond();
      return await startIn(session, options, stopSignal);
    } finally {
      unlock();
    }
  } catch (error) {
    session.remove();
    throw error;
  }
}

async function refuseSecond(): Promise<void> {
  const [other] = await findStanding();
  if (other === undefined) return;
  throw new RaiaError("CLUSTER_START_FAILED", {
    reason: "a cluster of this user stands already; stop it with raia stop",
    pid: other.pid,
    session: other.path,
  });
}

async function startIn(
  session: SessionDirectory,
  { objectStoreMemory, spillDirectory, labels = {}, ...resources }: Omit<StandingOptions, "signal">,
  stopSignal: AbortSignal | undefined,
): Promise<StandingCluster> {
  makeSecret(session.path, realRandom);
  pruneLogs({ env: process.env });
  const { child, ready } = startHead(session, {
    standing: true,
    parentPid: undefined,
    objectStoreMemory,
    spillDirectory,
    memoryKillAbove: memoryThresholdOf(process.env),
    prestart: undefined,
    resources,
    labels,
    launch: { execArgv: [], cwd: currentDirectory() },
  });
  const ended = new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`)));
  const aborted = new Promise<never>((_, reject) => {
    if (stopSignal?.aborted) reject(interrupted());
    stopSignal?.addEventListener("abort", () => reject(interrupted()), { once: true });
  });
  try {
    await Promise.race([ready, aborted]);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return { path: session.path, pid: child.pid as number, logsPath: session.logsPath, ended };
}

/** Deletes what clusters of this user left that were shot with all their processes, and the oldest logs beyond what is kept. */
export async function cleanUpSessions(): Promise<void> {
  const environment = { env: process.env };
  await removeStaleSessions(environment, ({ path }) => answers(path));
  pruneLogs(environment);
}

/** This user's standing clusters, newest first. What dead ones left behind is deleted, whatever they were. */
export async function findStanding(): Promise<FoundSession[]> {
  const sessions = await findSessions({ env: process.env }, ({ path }) => answers(path));
  return sessions.filter(({ facts }) => facts["kind"] === "standing");
}

/** Whether it is worth looking for a standing cluster: a glance at the disk, with nobody asked. */
export function mayStand(): boolean {
  return sessionRoots({ env: process.env }).some((root) =>
    sessionNames(root).some((name) => {
      try {
        return readFileSync(join(root, name, "session.json"), "latin1").includes('"standing"');
      } catch {
        return false; // It is being made, or it went meanwhile: not one that stands.
      }
    }),
  );
}

/**
 * The session's directory of the cluster that is meant; absent when any would do and none is there.
 *
 * @throws {RaiaError} CLUSTER_NOT_FOUND with who asked for it and why it cannot be
 */
export async function findCluster(address: Exclude<ClusterAddress, { kind: "local" }>): Promise<string | undefined> {
  if (address.kind === "session") {
    const { path, asked } = address;
    if (!existsSync(path)) throw new RaiaError("CLUSTER_NOT_FOUND", { asked, reason: "there is no such directory: its cluster has ended" });
    if (!(await answers(path))) throw new RaiaError("CLUSTER_NOT_FOUND", { asked, reason: "no head answers there" });
    return path;
  }
  const found = await findStanding();
  const running = found.find(({ state }) => state === "running");
  if (running !== undefined || address.kind === "any") return running?.path;
  const [silent] = found;
  const reason =
    silent === undefined ? "this user has no standing cluster" : `the head does not answer: process ${silent.pid} is stopped or busy`;
  throw new RaiaError("CLUSTER_NOT_FOUND", { asked: address.asked, reason });
}

/** Where the control plane of a session listens, as its node has published. */
export function controlAddressOf(sessionPath: string): string {
  return controlAddressFor(sessionPath, sessionFacts(sessionPath)["kind"] === "standing");
}

/** Whether a head greets: a process that is stopped still accepts connections, since the system does that for it. */
async function answers(sessionPath: string): Promise<boolean> {
  const connection = await connectTo(sessionPath).catch(() => undefined);
  if (connection === undefined) return false;
  try {
    const identity = { peerId: newWorkerId(realRandom), pid: process.pid, address: "", secret: readSecret(sessionPath) };
    const late = new Promise<false>((resolve) => realClock.after(ANSWER_TIMEOUT_MS, () => resolve(false)));
    const greeted = connection.startAsDialler(identity).then(
      () => true,
      () => false,
    );
    return await Promise.race([greeted, late]);
  } finally {
    connection.close("probed");
  }
}

async function connectTo(sessionPath: string): Promise<Connection> {
  return new Connection(await ipcTransport.dial(join(sessionPath, NODE_SOCKET)), MAX_FRAME_BYTES);
}

/**
 * Ends a standing cluster: SIGTERM, after a while SIGKILL. Resolves when its process is gone.
 *
 * @returns whether it had to be killed
 */
export async function stopStanding({ pid }: Pick<FoundSession, "pid">, { graceMs = STOP_GRACE_MS } = {}): Promise<boolean> {
  const mark = processMark(pid);
  let isKilled = false;
  let isThere = signal(pid, "SIGTERM");
  for (let waitedMs = 0; isThere; waitedMs += STOP_POLL_MS) {
    if (waitedMs >= graceMs && !isKilled) {
      isKilled = true;
      signal(pid, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
    // Where the system has no marks the pid must do; elsewhere a zombie that nobody has buried does not count.
    isThere = mark.startTicks === undefined ? signal(pid, 0) : isSameProcess(mark);
  }
  if (isKilled) await findStanding(); // Deletes what it left.
  return isKilled;
}

/** @returns whether the process was there to hear it */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // It is gone: that is what was asked.
  }
}
