/** Runs one world: a program in its own process and manner of starting, then a fresh receiver, then the comparison. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { TripResult } from "./receive.ts";
import type { TripFile } from "./trip.ts";

export interface WorldCommand {
  readonly args: readonly string[];
  /** Given on standard input. */
  readonly input?: string;
  /** Given one by one, each when the program asks for it with a prompt. */
  readonly lines?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export const worldsDirectory = path.join(import.meta.dirname, "../worlds");
/** What gives a program `trip`, `refused` and `finish` as globals, in worlds where it cannot import them. */
export const preload = path.join(import.meta.dirname, "preload.ts");

/** Runs the program and compares every case in a receiver; each case is a subtest. */
export async function runWorld(t: TestContext, command: WorldCommand): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), "raia-world-"));
  try {
    const env = { TRIP_FILE: path.join(directory, "trips.json"), ...command.env };
    await run({ ...command, env });
    const { launch, trips, refusals } = JSON.parse(readFileSync(env.TRIP_FILE, "utf8")) as TripFile;
    assert.ok(trips.length + refusals.length > 0, "the world shipped nothing");
    const receiver = path.join(import.meta.dirname, "receive.ts");
    const output = await run({ args: [...launch.execArgv, receiver], env, cwd: launch.cwd });
    const results = output
      .split("\n")
      .filter((line) => line.startsWith('{"name"'))
      .map((line) => JSON.parse(line) as TripResult);
    assert.equal(results.length, trips.length, "every case was received");
    for (const { name, isSame, expected, actual } of results) {
      await t.test(name, () => assert.ok(isSame, `here ${expected}, there ${actual}`));
    }
    for (const { name, facts, wanted } of refusals) {
      await t.test(`refused: ${name}`, () => {
        assert.ok(facts !== undefined, "it was shipped");
        const { reason, wayOut } = facts as { reason: string; wayOut: string };
        assert.ok(reason.includes(wanted.reason), `reason: ${reason}`);
        if (wanted.path !== undefined) assert.equal(facts.path, wanted.path);
        assert.ok(wayOut.length > 0);
      });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Enough for a test runner to start on a busy machine; a world that hangs is killed. */
const WORLD_TIMEOUT_MS = 60_000;

export async function run({ args, input, lines, env, cwd }: WorldCommand): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(process.execPath, args, {
    cwd: cwd ?? worldsDirectory,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: "", ...env },
    timeout: WORLD_TIMEOUT_MS,
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.on("error", reject);
  child.on("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`exit ${code}\n${output}\n${errors}`))));
  if (lines === undefined) child.stdin.end(input ?? "");
  else answerPrompts(child, [...lines]);
  return await promise;
}

/** A REPL runs lines that await at the same time as later ones if it gets them all at once. */
function answerPrompts(child: ChildProcessWithoutNullStreams, lines: string[]): void {
  child.stdout.on("data", (chunk: Buffer) => {
    if (!chunk.toString().endsWith("> ")) return;
    const line = lines.shift();
    if (line === undefined) child.stdin.end();
    else child.stdin.write(`${line}\n`);
  });
}
