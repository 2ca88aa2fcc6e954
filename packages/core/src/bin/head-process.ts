/** Starts the head of a cluster as a process of its own, and ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RaiaError } from "../base/errors.ts";
import { ownFile } from "../base/own-place.ts";
import type { SessionDirectory } from "../base/session-directory.ts";
import { type HeadOptions, headEnvironment } from "./head-options.ts";

export interface HeadProcess {
  readonly child: ChildProcess;
  /** Settles when the head answers. Rejects with CLUSTER_START_FAILED and the end of its log. */
  readonly ready: Promise<void>;
}

const headMain = fileURLToPath(ownFile("bin/head-main"));
/** The descriptor behind stdin, stdout and stderr. */
const READY_DESCRIPTOR = 3;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

/** @param session what the head will live in; its log goes to the logs, which stay when the session goes */
export function startHead(session: SessionDirectory, options: Omit<HeadOptions, "sessionPath" | "readyDescriptor">): HeadProcess {
  const logPath = join(session.logsPath, "head.log");
  const log = openSync(logPath, "a", 0o600);
  const child = spawn(process.execPath, [headMain], {
    stdio: ["ignore", log, log, "pipe"],
    env: { ...process.env, ...headEnvironment({ ...options, sessionPath: session.path, readyDescriptor: READY_DESCRIPTOR }) },
    // A group of its own: Ctrl-C in a terminal is for the driver, which then ends the head in order.
    detached: true,
  });
  closeSync(log);
  child.unref();
  return { child, ready: whenReady(child, logPath) };
}

function whenReady(head: ChildProcess, logPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new RaiaError("CLUSTER_START_FAILED", { reason, log: tailOf(logPath), logFile: logPath }));
    const timer = setTimeout(() => fail(`no answer in ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    const pipe = head.stdio[READY_DESCRIPTOR] as NodeJS.ReadableStream & { unref?(): void };
    pipe.once("data", () => {
      clearTimeout(timer);
      pipe.unref?.();
      resolve();
    });
    head.once("error", (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    head.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`the head ended: ${signal ?? `exit code ${code}`}`);
    });
  });
}

const MAX_TAIL_CHARS = 2000;

function tailOf(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-MAX_TAIL_CHARS);
  } catch {
    return "";
  }
}

/** The head ends by itself when its driver has gone; it is killed when it does not. */
export function endHead(head: ChildProcess): Promise<void> {
  if (head.exitCode !== null || head.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => head.kill("SIGKILL"), STOP_TIMEOUT_MS);
    head.ref();
    head.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    head.kill("SIGTERM");
  });
}
