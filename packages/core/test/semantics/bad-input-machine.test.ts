/** Machines that lack something: a directory, descriptors, shared memory, disk. Each program is a process of its own. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNothingLeft } from "@raia/testing/fixtures/cluster";

const program = fileURLToPath(new URL("bad-input-program.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "rm-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Mounts of its own, as whoever is root there. */
const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;
const needsMounts = { skip: !canMount && "needs mounts of its own (unshare)" };
const PROGRAM_MS = 60_000;

interface Run {
  /** Run in the shell before the program. */
  readonly first?: string;
  readonly arguments?: readonly string[];
  readonly sessions?: string;
  readonly hasMounts?: boolean;
}

/** @returns the line that the program said, and what it wrote to stderr */
async function run(what: string, { first = "true", arguments: rest = [], sessions = directory, hasMounts = false }: Run = {}) {
  const shell = ["sh", "-c", `${first} && exec "$0" "$@"`, process.execPath, program, what, ...rest];
  const [command = "", ...args] = hasMounts ? ["unshare", "-rm", ...shell] : shell;
  const child = spawn(command, args, {
    env: { ...process.env, RAIA_TMPDIR: sessions },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PROGRAM_MS,
    killSignal: "SIGKILL",
  });
  const [said, complaint] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  assert.notEqual(said, "", `it said nothing: ${complaint}`);
  return JSON.parse(said) as { readonly code?: string; readonly message?: string };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

const working = { squares: 200, sums: 6, length: 1024 * 1024 };

describe("session directory", () => {
  async function refused(sessions: string, reason: RegExp): Promise<void> {
    const { code, message = "" } = await run("work", { sessions });
    assert.equal(code, "SESSION_DIRECTORY");
    assert.match(message, reason);
    assert.match(message, /RAIA_TMPDIR/);
  }

  test("a path longer than a socket's may be", async () => {
    const long = join(directory, "x".repeat(100));
    mkdirSync(long, { mode: 0o700 });
    await refused(long, /long/);
    await assertNothingLeft(directory);
  });

  test("a file, and a place where nothing can be made", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    await refused(file, /./);
    await refused("/proc/self/nothing", /./);
  });

  test("not writable", needsMounts, async () => {
    const place = join(directory, "readonly");
    mkdirSync(place, { mode: 0o700 });
    const first = `mount -t tmpfs -o ro,mode=0700 none ${place}`;
    const { code, message = "" } = await run("work", { first, sessions: place, hasMounts: true });
    assert.equal(code, "SESSION_DIRECTORY");
    assert.match(message, /EROFS/);
  });
});

describe("descriptors", () => {
  test("1,024 are enough for two dozen actors", async () => {
    assert.deepEqual(await run("manyActors", { first: "ulimit -n 1024" }), { ...working, sums: 48 });
    await assertNothingLeft(directory);
  });

  test("64 are enough for a few", async () => {
    assert.deepEqual(await run("work", { first: "ulimit -n 64" }), working);
    await assertNothingLeft(directory);
  });
});

describe("memory and disk", () => {
  test("/dev/shm of 64 MB does not limit the object store", needsMounts, async () => {
    const first = "mount -t tmpfs -o size=64m none /dev/shm";
    assert.deepEqual(await run("large", { first, hasMounts: true }), { length: 160 * 1024 * 1024, works: { ...working, sums: 2 } });
    await assertNothingLeft(directory);
  });

  test(
    "C-14: the disk that objects spill to is full: OUT_OF_DISK, what was stored is whole, and the node goes on",
    needsMounts,
    async () => {
      const spill = join(directory, "spill");
      mkdirSync(spill, { mode: 0o700 });
      const first = `mount -t tmpfs -o size=16m none ${spill}`;
      assert.deepEqual(await run("overflow", { first, arguments: [spill], hasMounts: true }), {
        codes: ["OUT_OF_DISK", "stored"],
        read: "OUT_OF_DISK",
        wrong: 0,
        later: 99,
        works: { ...working, sums: 2 },
      });
      await assertNothingLeft(directory);
    },
  );
});
