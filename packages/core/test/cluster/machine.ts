/**
 * A machine of its own for a test file: a private directory in which sessions are made and looked for, programs that run
 * there, and a check that nothing is left. Time limits are bounds on what hangs, not pauses.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM_MS = 30_000;
const GONE_MS = 5_000;
const LOOK_EVERY_MS = 10;

export interface Machine {
  readonly directory: string;
  /** Runs driver.ts to its end. @returns what it said, one value a line */
  run(mode: string, env?: Record<string, string>): Promise<unknown[]>;
  /** Starts driver.ts. */
  start(mode: string, env?: Record<string, string>): Program;
  end(): Promise<void>;
}

export interface Program {
  readonly child: ChildProcess;
  /** What it says next. Rejects when it ends first. */
  next(): Promise<unknown>;
  /** How it ended. */
  readonly ended: Promise<string>;
}

export function makeMachine(): Machine {
  const directory = mkdtempSync(join(tmpdir(), "rc-"));
  for (const name of ["RAIA_ADDRESS", "RAY_ADDRESS", "RAIA_MODE", "XDG_RUNTIME_DIR"]) delete process.env[name];
  process.env["RAIA_TMPDIR"] = directory;
  const start = (mode: string, env: Record<string, string> = {}): Program => startProgram(mode, env);
  return {
    directory,
    start,
    async run(mode, env) {
      const program = start(mode, env);
      const said: unknown[] = [];
      const end = await Promise.race([
        program.ended,
        (async () => {
          for (;;) said.push(await program.next());
        })().catch(() => program.ended),
      ]);
      assert.equal(end, "exit 0", `${mode} ended: ${end}`);
      return said;
    },
    async end() {
      const isClean = await eventually(() => processesOf(directory).length === 0 && sessionsIn(directory).length === 0);
      if (!isClean)
        assert.deepEqual({ processes: processesOf(directory), sessions: sessionsIn(directory) }, { processes: [], sessions: [] });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const driver = fileURLToPath(new URL("./driver.ts", import.meta.url));

function startProgram(mode: string, env: Record<string, string>): Program {
  const child = spawn(process.execPath, [driver, mode], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: PROGRAM_MS,
  });
  const lines: Interface = createInterface({ input: child.stdout });
  const iterator = lines[Symbol.asyncIterator]();
  const ended = new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? `exit ${code}`)));
  return {
    child,
    ended,
    async next() {
      const { value, done } = await iterator.next();
      if (done) throw new Error(`the program ended: ${await ended}`);
      return JSON.parse(value) as unknown;
    },
  };
}

export async function eventually(isTrue: () => boolean | Promise<boolean>, withinMs = GONE_MS): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return true;
}

/** Processes that were started for sessions of the directory, this one excepted. */
export function processesOf(directory: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => read(`/proc/${name}/environ`).includes(`RAIA_TMPDIR=${directory}\0`))
    .map((name) => `${name} ${read(`/proc/${name}/cmdline`).replaceAll("\0", " ")}`);
}

export function isAlive(pid: number): boolean {
  return /^\d+ \(.*\) [^ZX]/.test(read(`/proc/${pid}/stat`));
}

function sessionsIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter(
    (name) => /(^|\/)s-[^/]*$/.test(name) && !name.includes("-logs/"),
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // It has ended since it was listed, or is somebody else's.
  }
}
