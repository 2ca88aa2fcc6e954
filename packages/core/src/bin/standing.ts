/** Clusters that stand by themselves on this machine: started, found and stopped by the command line. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { RaiaError } from "../base/errors.ts";
import type { ResourceOptions } from "../base/resources.ts";
import { type FoundSession, findSessions } from "../base/session-directory.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { headEnvironment } from "./head-options.ts";

export interface StandingOptions extends ResourceOptions {
  /** Bytes. Default: 30 % of memory. */
  readonly objectStoreMemory?: number | undefined;
  readonly spillDirectory?: string | undefined;
}

const here = import.meta.url;
const headMain = fileURLToPath(new URL(`./head-main${here.slice(here.lastIndexOf("."))}`, here));
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const STOP_POLL_MS = 20;

/** Starts a head that outlives this process. @throws {RaiaError} CLUSTER_START_FAILED with what it said */
export function startStanding({
  objectStoreMemory,
  spillDirectory,
  ...resources
}: StandingOptions): Promise<{ path: string; pid: number }> {
  const head = spawn(process.execPath, [headMain], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    detached: true,
    env: {
      ...process.env,
      ...headEnvironment({
        sessionPath: undefined,
        parentPid: undefined,
        readyDescriptor: 3,
        objectStoreMemory,
        spillDirectory,
        prestart: undefined,
        resources,
        launch: { execArgv: [], cwd: process.cwd() },
      }),
    },
  });
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (reason: string): void => reject(new RaiaError("CLUSTER_START_FAILED", { reason, log: said.slice(-2000) }));
    const timer = setTimeout(() => fail(`no answer in ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    head.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString()));
    head.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`the head ended: ${signal ?? `exit code ${code}`}`);
    });
    (head.stdio[3] as NodeJS.ReadableStream).once("data", (bytes: Buffer) => {
      clearTimeout(timer);
      head.unref();
      head.stderr?.destroy();
      resolve({
        path: bytes
          .toString()
          .trim()
          .replace(/^ready /, ""),
        pid: head.pid as number,
      });
    });
  });
}

/** This user's standing clusters, newest first. What a dead one left behind is deleted. */
export async function findStanding(): Promise<FoundSession[]> {
  const sessions = await findSessions({ env: process.env }, ({ facts }) => answers(facts));
  return sessions.filter(({ facts }) => facts["kind"] === "standing");
}

async function answers(facts: Readonly<Record<string, unknown>>): Promise<boolean> {
  const address = facts["address"];
  if (typeof address !== "string") return false;
  const stream = await ipcTransport.dial(address);
  stream.start({ data: () => {}, closed: () => {} });
  stream.close();
  return true;
}

/** Ends a standing cluster: SIGTERM, after a while SIGKILL. Resolves when its process is gone. */
export async function stopStanding({ pid }: Pick<FoundSession, "pid">): Promise<void> {
  const isAlive = (): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false; // It is gone: that is what was asked.
    }
  };
  if (!isAlive()) return;
  process.kill(pid, "SIGTERM");
  for (let waitedMs = 0; isAlive(); waitedMs += STOP_POLL_MS) {
    if (waitedMs >= STOP_TIMEOUT_MS) process.kill(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
  }
}
