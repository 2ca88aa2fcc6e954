/**
 * Keeps the control plane of a standing cluster going: a process of its own, so that it can die without what runs noticing.
 * Its tables are on disk; it is started again at once, and with pauses that grow when that does not help.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import type { SessionDirectory } from "../base/session-directory.ts";
import { controlEnvironment } from "./control-options.ts";

const here = import.meta.url;
const controlMain = fileURLToPath(new URL(`../bin/control-main${here.slice(here.lastIndexOf("."))}`, here));
/** One that lived longer has served, and is started again at once. */
const LIVED_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
const MAX_TAIL_CHARS = 2_000;

export class ControlProcess {
  readonly #session: SessionDirectory;
  readonly #clock: Clock;
  readonly #logPath: string;
  readonly #failed = Promise.withResolvers<never>();
  #child: ChildProcess | undefined;
  #pauseMs = 0;
  #isStopped = false;
  /** It has answered once: from now on its end is mended, not told. */
  hasServed = false;
  starts = 0;

  constructor(session: SessionDirectory, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#logPath = join(session.logsPath, "control.log");
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with CLUSTER_START_FAILED when it ends before it has ever served. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Never throws once it has served: what keeps it from starting, such as too many open files, may pass. */
  start(): void {
    const startedAtMs = this.#clock.nowMs();
    try {
      this.#spawn(startedAtMs);
    } catch (error) {
      this.#ended(startedAtMs, String(error));
    }
  }

  #spawn(startedAtMs: number): void {
    const log = openSync(this.#logPath, "a", 0o600);
    const child = spawn(process.execPath, [controlMain], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...controlEnvironment({ sessionPath: this.#session.path, parentPid: process.pid }) },
    });
    closeSync(log);
    this.#child = child;
    this.starts++;
    // One that could not be started has no exit, and one that could not be told something has both: it ends once.
    let isOver = false;
    const over = (how: string): void => {
      if (!isOver) this.#ended(startedAtMs, how);
      isOver = true;
    };
    child.once("exit", (code, signal) => over(signal ?? `exit code ${code}`));
    child.on("error", (error) => {
      if (child.pid === undefined) over(error.message);
    });
  }

  #ended(startedAtMs: number, how: string): void {
    if (this.#isStopped) return;
    if (!this.hasServed) {
      const facts = { reason: `the control plane ended: ${how}`, log: tailOf(this.#logPath), logFile: this.#logPath };
      this.#failed.reject(new RaiaError("CLUSTER_START_FAILED", facts));
      return;
    }
    process.stderr.write(`the control plane ended (${how}) and is started again\n`);
    const hasLived = this.#clock.nowMs() - startedAtMs >= LIVED_MS;
    this.#pauseMs = hasLived ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * this.#pauseMs));
    if (hasLived) this.start();
    else this.#clock.after(this.#pauseMs, () => void (this.#isStopped || this.start()));
  }

  /** What it has acknowledged is on disk, so it needs no time. */
  stop(): void {
    this.#isStopped = true;
    this.#child?.kill("SIGKILL");
  }
}

function tailOf(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-MAX_TAIL_CHARS);
  } catch {
    return "";
  }
}
