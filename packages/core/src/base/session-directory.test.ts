import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isSameProcess, processMark } from "./process-mark.ts";
import {
  findSessions,
  joinSessionDirectory,
  makeSessionDirectory,
  removeStaleSessions,
  type SessionDirectory,
} from "./session-directory.ts";
import { pruneLogs } from "./session-logs.ts";
import type { SessionEnvironment } from "./session-roots.ts";

let base: string;
let environment: SessionEnvironment;
const own = `raia-${process.getuid?.() ?? "user"}`;
const silent = async (): Promise<boolean> => false;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "raia-test-"));
  environment = { env: {}, temporaryDirectory: base };
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A process that ran and is gone, so that its pid proves nothing. */
function markAsDead(path: string): void {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const file = join(path, "session.json");
  const record = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...record, mark: { pid: dead, startTicks: 1, bootId: "x" } }));
}

test("session: made private, with logs beside it that stay", () => {
  const session = makeSessionDirectory(environment);
  assert.equal(statSync(session.path).mode & 0o777, 0o700);
  assert.equal(statSync(join(base, own)).mode & 0o777, 0o700);
  assert.equal(session.path, join(base, own, session.name));
  writeFileSync(join(session.logsPath, "worker.log"), "text");
  session.remove();
  session.remove();

  assert.deepEqual([existsSync(session.path), existsSync(join(session.logsPath, "worker.log"))], [false, true]);
});

test("session: XDG_RUNTIME_DIR first, RAIA_TMPDIR before it, logs never in memory", () => {
  const runtime = join(base, "run");
  const chosen = join(base, "chosen");
  mkdirSync(runtime);
  mkdirSync(chosen);
  const inRuntime = makeSessionDirectory({ ...environment, env: { XDG_RUNTIME_DIR: runtime } });
  const inChosen = makeSessionDirectory({ ...environment, env: { XDG_RUNTIME_DIR: runtime, RAIA_TMPDIR: chosen } });
  const gone = makeSessionDirectory({ ...environment, env: { XDG_RUNTIME_DIR: join(base, "nothing") } });

  assert.ok(inRuntime.path.startsWith(`${runtime}/raia/s-`) && inRuntime.logsPath.startsWith(`${base}/${own}-logs/`));
  assert.ok(inChosen.path.startsWith(`${chosen}/${own}/s-`) && inChosen.logsPath.startsWith(`${chosen}/`));
  assert.ok(gone.path.startsWith(`${base}/${own}/s-`));
});

test("session: logs go beside the temporary root, as private, where there is no home to write", () => {
  writeFileSync(join(base, "file"), "");
  const homeless = { ...environment, env: { HOME: join(base, "file", "nobody") } };
  const session = makeSessionDirectory(homeless);
  assert.equal(session.logsPath, join(base, `${own}-logs`, session.name));
  assert.equal(joinSessionDirectory(homeless, session.path).logsPath, session.logsPath);
  assert.deepEqual([statSync(join(base, `${own}-logs`)).mode & 0o777, statSync(session.logsPath).mode & 0o777], [0o700, 0o700]);
  session.remove();

  chmodSync(join(base, `${own}-logs`), 0o755);
  assert.throws(() => makeSessionDirectory(homeless), { code: "SESSION_DIRECTORY" });
});

test("session: a root that somebody else could have prepared is refused, not repaired", () => {
  const root = join(base, own);
  const refused = (reason: RegExp): void =>
    assert.throws(
      () => makeSessionDirectory(environment),
      (error: Error & { code?: string }) => error.code === "SESSION_DIRECTORY" && reason.test(error.message),
    );

  mkdirSync(root, { mode: 0o755 });
  chmodSync(root, 0o755);
  refused(/has mode 755, not 700/);
  rmSync(root, { recursive: true });

  mkdirSync(join(base, "elsewhere"), { mode: 0o700 });
  symlinkSync(join(base, "elsewhere"), root);
  refused(/is a symbolic link/);
  rmSync(root);

  writeFileSync(root, "");
  refused(/is not a directory/);
});

test("session: a directory that cannot be made says which and why", () => {
  assert.throws(() => makeSessionDirectory({ env: { RAIA_TMPDIR: join(base, "missing") } }), {
    code: "SESSION_DIRECTORY",
    facts: { path: join(base, "missing", own), reason: "cannot make it: ENOENT" },
  });
});

test("session: a path too long for a socket is refused at once, with its length, and leaves nothing", () => {
  const long = join(base, "x".repeat(90));
  mkdirSync(long);

  assert.throws(() => makeSessionDirectory({ env: { RAIA_TMPDIR: long } }), /is \d+ bytes long; a socket's path has at most 10[37]/);
  assert.deepEqual(readdirSync(join(long, own)), []);
  assert.throws(() => makeSessionDirectory(environment).socketPath("é".repeat(40)), { code: "SESSION_DIRECTORY" });
});

test("session: what a removal left that was shot half way goes at the next look", async () => {
  const session = makeSessionDirectory(environment);
  const remains = join(base, own, `gone-${session.name}`);
  mkdirSync(join(remains, "spill"), { recursive: true });
  writeFileSync(join(remains, "spill", "object"), "");
  await findSessions(environment, async () => false);
  assert.equal(existsSync(remains), false);

  mkdirSync(remains);
  session.remove();
  assert.deepEqual(existsSync(join(base, own)) ? readdirSync(join(base, own)) : [], [], "remains are not in the way of a removal");
});

test("session: found by others with what it published; newest first", async () => {
  const older = makeSessionDirectory(environment);
  const newer = makeSessionDirectory(environment);
  older.publish({ address: "unix:old" });
  newer.publish({ address: "unix:new", port: 1 });
  const record = join(older.path, "session.json");
  writeFileSync(record, readFileSync(record, "utf8").replace(/"madeAtMs":\d+/, '"madeAtMs":1'));
  const found = await findSessions(environment, async ({ path }) => path === newer.path);

  assert.deepEqual(
    found.map(({ name, facts, pid, state }) => ({ name, facts, pid, state })),
    [
      { name: newer.name, facts: { address: "unix:new", port: 1 }, pid: process.pid, state: "running" },
      { name: older.name, facts: { address: "unix:old" }, pid: process.pid, state: "silent" },
    ],
  );
  assert.equal(joinSessionDirectory(environment, newer.path).socketPath("node"), join(newer.path, "node"));
});

test("session: removed when its process is gone and nobody answers, kept when somebody does", async () => {
  const dead = makeSessionDirectory(environment);
  const unseen = makeSessionDirectory(environment);
  markAsDead(dead.path);
  markAsDead(unseen.path);
  const found = await findSessions(environment, async ({ path }) => {
    if (path === dead.path) throw new Error("refused");
    return true;
  });

  assert.deepEqual(
    found.map((session) => session.path),
    [unseen.path],
  );
  assert.equal(existsSync(dead.path), false);
});

test("session: stale ones are removed without asking those whose process lives", async () => {
  const [live, dead, unseen] = [1, 2, 3].map(() => makeSessionDirectory(environment)) as [
    SessionDirectory,
    SessionDirectory,
    SessionDirectory,
  ];
  markAsDead(dead.path);
  markAsDead(unseen.path);
  const asked: string[] = [];
  await removeStaleSessions(environment, async ({ path }) => {
    asked.push(path);
    return path === unseen.path;
  });

  assert.deepEqual(asked.sort(), [dead.path, unseen.path].sort());
  assert.deepEqual(
    [live, dead, unseen].map(({ path }) => existsSync(path)),
    [true, false, true],
  );
});

test("session: one that is being made is left alone, one that was never finished is cleaned up", async () => {
  const making = makeSessionDirectory(environment);
  const abandoned = makeSessionDirectory(environment);
  for (const session of [making, abandoned]) rmSync(join(session.path, "session.json"));
  writeFileSync(join(making.path, "session.json"), '{"mark":'); // Torn.
  utimesSync(abandoned.path, 1, 1);

  assert.deepEqual(await findSessions(environment, silent), []);
  assert.deepEqual([existsSync(making.path), existsSync(abandoned.path)], [true, false]);
});

test("session: logs beyond the newest twenty go, those of a live session stay", () => {
  const live = makeSessionDirectory(environment);
  const logs = join(live.logsPath, "..");
  writeFileSync(join(live.logsPath, "a.log"), "x");
  utimesSync(join(live.logsPath, "a.log"), 1, 1);
  for (let index = 0; index < 25; index++) {
    const path = join(logs, `s-old${index}`);
    mkdirSync(path);
    writeFileSync(join(path, "a.log"), "x");
    utimesSync(join(path, "a.log"), 1000 + index, 1000 + index);
  }
  pruneLogs(environment);

  const kept = readdirSync(logs);
  assert.equal(kept.length, 21);
  assert.ok(kept.includes(basename(live.path)) && kept.includes("s-old24") && !kept.includes("s-old4"));
});

test("process mark: this process is itself, a dead one and a reused pid are not", { skip: process.platform !== "linux" }, () => {
  const mark = processMark(process.pid);
  assert.ok(isSameProcess(mark));
  assert.equal(isSameProcess({ ...mark, startTicks: mark.startTicks! + 1 }), false);
  assert.equal(isSameProcess({ ...mark, bootId: "another start of the machine" }), false);
  assert.equal(isSameProcess(processMark(spawnSync(process.execPath, ["-e", ""]).pid)), false);
  assert.equal(isSameProcess({ pid: process.pid }), false);
});
