/** Runs an example the way a user does, in a process group and a set of temporary directories of its own. */

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Far more than any example takes: an example that hangs fails, and is killed. */
const longestMs = 240_000;

export type Ended = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export class Example {
  readonly directory = mkdtempSync(join(tmpdir(), "example-"));
  readonly #running = new Set<number>();
  /** Marks the environment of every process that descends from the example, so that those left behind are found. */
  readonly #mark = `EXAMPLE_RUN=${randomUUID()}`;

  /** A directory for what the example writes. */
  get outDirectory(): string {
    return join(this.directory, "out");
  }

  start(script: string, args: readonly string[] = [], input: Readable | "none" = "none", environment: Record<string, string> = {}) {
    const [markName, markValue] = this.#mark.split("=") as [string, string];
    const child = spawn(process.execPath, [fileURLToPath(new URL(`../${script}`, import.meta.url)), ...args], {
      // A group of its own, so that Ctrl-C can be sent to all of it, as a terminal does.
      detached: true,
      stdio: [input === "none" ? "ignore" : "pipe", "pipe", "pipe"],
      env: {
        ...process.env,
        NODE_TEST_CONTEXT: undefined,
        RAIA_ADDRESS: undefined,
        RAY_ADDRESS: undefined,
        XDG_RUNTIME_DIR: this.directory,
        TMPDIR: this.directory,
        [markName]: markValue,
        ...environment,
      },
    });
    const pid = child.pid!;
    this.#running.add(pid);
    const killer = setTimeout(() => killGroup(pid), longestMs);
    const output = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    if (input !== "none" && child.stdin !== null) input.pipe(child.stdin);
    const ended = once(child, "close").then(([code, signal]: unknown[]): Ended => {
      clearTimeout(killer);
      this.#running.delete(pid);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...output };
    });
    return {
      ended,
      output,
      /** Resolves when standard output matches. */
      async says(pattern: RegExp): Promise<RegExpExecArray> {
        for (;;) {
          const match = pattern.exec(output.stdout);
          if (match !== null) return match;
          const end = await Promise.race([once(child.stdout!, "data"), ended]);
          if (!Array.isArray(end) && !pattern.test(output.stdout))
            throw new Error(`ended without saying ${pattern}: ${JSON.stringify(end)}`);
        }
      },
      pressCtrlC: () => process.kill(-pid, "SIGINT"),
      terminate: () => child.kill("SIGTERM"),
    };
  }

  run(script: string, args: readonly string[] = [], input: Readable | "none" = "none"): Promise<Ended> {
    return this.start(script, args, input).ended;
  }

  /** Processes and files of the example that are still there a second after its end; empty when all is well. Logs stay on purpose. */
  async leftBehind(): Promise<string[]> {
    const deadlineMs = performance.now() + 1000;
    for (;;) {
      const left = [...this.#processes(), ...this.#files()];
      if (left.length === 0 || performance.now() > deadlineMs) return left;
      await sleep(20);
    }
  }

  [Symbol.dispose](): void {
    for (const pid of this.#running) killGroup(pid);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #files(): string[] {
    const kept = /^(out|node-compile-cache|raia-\d+-logs)$/;
    return readdirSync(this.directory)
      .filter((name) => !kept.test(name))
      .flatMap((name) => (name === "raia" ? readdirSync(join(this.directory, name)) : [name]));
  }

  #processes(): string[] {
    if (process.platform !== "linux") return [];
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => environmentOf(pid).includes(this.#mark))
      .map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function environmentOf(pid: string): string[] {
  return read(`/proc/${pid}/environ`).split("\0");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Somebody else's process, or one that has just ended.
    return "";
  }
}
