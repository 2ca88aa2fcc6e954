/** The command as people call it: real processes, in a private directory. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const command = fileURLToPath(new URL("../bin/raia.js", import.meta.url));
const program = fileURLToPath(new URL("./program.ts", import.meta.url));
/** Longer than any of these can take on a busy machine; what hangs ends here. */
const COMMAND_MS = 30_000;
const GONE_MS = 5_000;

let directory = "";
let env: NodeJS.ProcessEnv = {};
const running = new Set<ChildProcess>();

before(() => {
  directory = mkdtempSync(join(tmpdir(), "rl-"));
  const { RAIA_ADDRESS: _raia, RAY_ADDRESS: _ray, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  env = { ...rest, RAIA_TMPDIR: directory };
});

after(async () => {
  for (const child of running) child.kill("SIGKILL");
  await raia("stop", "--force");
  assert.ok(await eventually(() => processes().length === 0), processes().join("\n"));
  rmSync(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function launch(
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): { child: ChildProcess; outcome: Promise<Outcome>; says: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, args, {
    env: { ...env, ...more },
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: COMMAND_MS,
  });
  running.add(child);
  const said = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said.err += text));
  const outcome = new Promise<Outcome>((resolve) =>
    child.once("close", (code) => {
      running.delete(child);
      resolve({ code, ...said });
    }),
  );
  const says = async (text: string): Promise<void> =>
    assert.ok(await eventually(() => said.out.includes(text), COMMAND_MS), `it never said ${text}: ${said.out}${said.err}`);
  return { child, outcome, says };
}

const raia = (...args: string[]): Promise<Outcome> => launch([command, ...args]).outcome;

async function standing(): Promise<void> {
  const { code, err } = await raia("status");
  if (code === 0) return;
  assert.match(err, /CLUSTER_NOT_FOUND/);
  const started = await raia("start", "--head", "--num-cpus", "2", "--object-store-memory", "64MiB", "--labels", "zone=a");
  assert.equal(started.code, 0, started.err);
}

test("raia: version, help, and exit code 2 with the way out for a wrong call", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  assert.deepEqual(await raia("--version"), { code: 0, out: `${version}\n`, err: "" });
  const help = await raia("--help");
  assert.equal(help.code, 0);
  for (const name of ["start", "stop", "status", "list", "memory", "timeline", "explain", "microbenchmark"])
    assert.match(help.out, new RegExp(`^  ${name} `, "m"));

  const full = openSync("/dev/full", "w");
  for (const args of [["--help"], ["--version"]]) {
    const { status, stderr } = spawnSync(process.execPath, [command, ...args], { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^raia: the answer could not be written: ENOSPC.*\n$/);
  }
  closeSync(full);

  for (const [args, reason] of [
    [["strat"], /unknown command 'strat'.*\n?.*start/],
    [["stat"], /unknown command 'stat'\n\(Did you mean status\?\)/],
    [["st"], /unknown command 'st'\n\(Did you mean one of start, stop, status\?\)/],
    [["start"], /--head/],
    [["start", "--head", "--num-cpus", "two"], /--num-cpus.*'two'.*must be a number/],
    [["start", "--head", "--memory", "lots"], /--memory.*'lots'.*must be a size/],
    [["start", "--head", "--resources", "{moon"], /--resources \{moon: not a JSON object/],
    [["list", "things"], /list things: there is no such kind; there are tasks, actors/],
    [["list", "tasks", "--format", "xml"], /table, json/],
    [["list", "tasks", "--limit", "0"], /--limit.*'0'.*whole number/],
    [["list", "tasks", "--filter", "state"], /key=value/],
    [
      ["list", "tasks", "--filter", "state=nonsense"],
      /state=nonsense: there is no such state; there are waiting, queued, assigned, running/,
    ],
    [["list", "nodes", "--filter", "state!=running"], /there is no such state; there are alive, dead/],
    [["start", "--head", "--object-store-memory", "1"], /--object-store-memory 1: must be a whole number from 1048576 to/],
    [["start", "--head", "--memory", "9".repeat(30)], /--memory.*more than any machine has/],
    [["start", "--head", "--num-cpus", "1e300"], /--num-cpus 1e\+300: is too large/],
    [["start", "--head", "--num-gpus", "0.5"], /--num-gpus 0\.5: must have whole devices/],
    [["start", "--head", "--resources", '{"CPU": 1}'], /--resources CPU 1: is given with the option numCpus/],
    [["start", "--head", "--labels", "a b=c"], /--labels "a b": must have keys like/],
    [["start", "--head", "--spill-directory", ""], /--spill-directory.*must not be empty/],
    [["start", "--head", "now"], /too many arguments/],
    [["status", "--address", ""], /--address.*must not be empty/],
    [["status", "--adress", "/x"], /unknown option '--adress'.*\n?.*--address/],
    [["explain", ""], /'id'.*must not be empty/],
    [["timeline", "--output", ""], /--output.*must not be empty/],
    [["microbenchmark", "--compare", "spark"], /--compare.*Allowed choices are ray/],
    [["microbenchmark", "--only", "nothing"], /no row has this number or name/],
  ] as const) {
    const { code, out, err } = await raia(...args);
    assert.deepEqual([code, out], [2, ""], `${args.join(" ")}: ${err}`);
    assert.match(err, reason);
  }
});

test("raia: a slip in a variable is told before anything is done", async () => {
  for (const [variable, reason] of [
    [{ RAIA_MODE: "bogus" }, /RAIA_MODE must be "processes" or "inProcess"/],
    [{ RAIA_MEMORY_USAGE_THRESHOLD: "x" }, /RAIA_MEMORY_USAGE_THRESHOLD must be a number above 0/],
    [{ RAIA_TMP_DIR: directory }, /RAIA_TMP_DIR.*did you mean RAIA_TMPDIR/],
  ] as const) {
    const { code, out, err } = await launch([command, "stop"], variable).outcome;
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, reason);
  }
});

test("raia start: what the head refuses is one line, and nothing is left", async () => {
  await raia("stop");
  for (const path of ["/dev/null", "/proc/nothing"]) {
    const { code, out, err } = await raia("start", "--head", "--spill-directory", path);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /^raia: \[CLUSTER_START_FAILED\].*the spill directory cannot be made path=\S+ errno=\w+.*\n$/);
  }
  assert.ok(await eventually(() => processes().length === 0), processes().join("\n"));
});

test("raia: a reader that goes away is no failure", async () => {
  for (const args of [["--help"], ["start", "--help"], ["stop"]]) {
    const { child, outcome } = launch([command, ...args]);
    child.stdout?.destroy();
    const { code, err } = await outcome;
    assert.deepEqual([code, err], [0, ""], args.join(" "));
  }
});

test("raia start, status, stop: says what it started, where, and what it ended", async () => {
  await raia("stop");
  const started = await raia("start", "--head", "--num-cpus", "3", "--resources", '{"moon": 2}', "--labels", "zone=a");
  assert.equal(started.code, 0, started.err);
  const [, pid, session = ""] = /process (\d+), session (\S+)/.exec(started.out) ?? [];
  assert.match(started.out, /RAIA_ADDRESS=auto/);

  const again = await raia("start", "--head");
  assert.deepEqual([again.code, again.out], [1, ""]);
  assert.match(again.err, new RegExp(`stands already; stop it with raia stop pid=${pid}`));

  const status = await raia("status");
  assert.equal(status.code, 0, status.err);
  assert.match(status.out, /^CPU +0 +3$/m);
  assert.match(status.out, /^moon +0 +2$/m);
  assert.match(status.out, /: alive zone=a$/m);
  assert.ok(!status.out.includes("\x1b"), "colours without a terminal");
  assert.equal((await raia("status", "--address", session)).code, 0);

  const stopped = await raia("stop");
  assert.deepEqual(stopped, { code: 0, out: `Stopped process ${pid}, session ${session}\n`, err: "" });
  assert.match((await raia("stop")).out, /^No cluster of this user is standing/);
  const gone = await raia("status");
  assert.deepEqual([gone.code, gone.out], [1, ""]);
  assert.match(gone.err, /CLUSTER_NOT_FOUND.*raia start --head/);
});

test("raia start --block: a reader who leaves early, as head -1 does, changes nothing", async () => {
  await raia("stop");
  const { child, outcome } = launch([command, "start", "--head", "--num-cpus", "1", "--block"]);
  child.stdout?.destroy();
  assert.ok(await eventually(async () => (await raia("status")).code === 0, COMMAND_MS), "the cluster stands");
  child.kill("SIGINT");
  assert.equal((await outcome).code, 0);
  assert.equal((await raia("status")).code, 1, "and goes with the command");
});

test("raia start --block: stays until Ctrl-C, and takes the cluster along", async () => {
  await raia("stop");
  const { child, outcome, says } = launch([command, "start", "--head", "--num-cpus", "1", "--block"]);
  await says("raia status shows it");
  assert.equal((await raia("status")).code, 0);
  child.kill("SIGINT");

  const { code, out } = await outcome;
  assert.equal(code, 0);
  assert.match(out, /Stopped process \d+/);
  assert.deepEqual(processes(), []);
});

test("raia list, memory, timeline, explain: beside a program that works", async () => {
  await standing();
  const early = await raia("list", "actors", "--filter", "stat=alive");
  assert.deepEqual([early.code, early.out], [2, ""], "a slip is told though there is no row");
  const { child, outcome, says } = launch([program]);
  await says("ready");
  const rows = async (kind: string, ...more: string[]): Promise<Record<string, unknown>[]> => {
    const { code, out, err } = await raia("list", kind, "--format", "json", ...more);
    assert.equal(code, 0, err);
    return JSON.parse(out) as Record<string, unknown>[];
  };

  const [job] = await rows("jobs", "--filter", "state=running");
  assert.deepEqual([job?.["driverPid"], job?.["entrypoint"]], [child.pid, program]);
  const [running] = await rows("tasks", "--filter", "state=running");
  assert.deepEqual([running?.["name"], running?.["ownerPid"]], ["sleepy", child.pid]);
  const [actor] = await rows("actors", "--filter", "state=alive");
  assert.deepEqual([actor?.["className"], actor?.["name"]], ["Tally", "hits"]);
  assert.match((await raia("list", "actors")).out, new RegExp(`^\\w+ +Tally +hits +${job?.["namespace"] as string} +alive`, "m"));
  const [group] = await rows("placement-groups", "--filter", "state=created");
  assert.deepEqual([group?.["name"], group?.["strategy"], group?.["jobId"]], ["team", "PACK", job?.["jobId"]]);
  assert.match((await raia("list", "placement-groups")).out, /^\w+ +team .* created +PACK +memory=1.* on \w+ /m);
  assert.match((await raia("explain", group?.["placementGroupId"] as string)).out, /created/);
  assert.match((await raia("status")).out, /^1 placement group, 0 waiting for places$/m);
  const [object] = await rows("objects", "--filter", "state=stored");
  assert.equal(object?.["ownerPid"], child.pid);
  assert.equal((await rows("nodes")).length, 1);
  assert.ok((await rows("workers")).some(({ kind, pid }) => kind === "driver" && pid === child.pid));
  assert.equal((await rows("tasks", "--limit", "1")).length, 1);
  assert.deepEqual(await rows("tasks", "--filter", "state=failed"), []);
  const wrong = await raia("list", "tasks", "--filter", "stat=running");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--filter stat: there is no such column; there are taskId, name, state/);

  const shown = await raia("list", "tasks", "--filter", "state=waiting");
  const id = /^[0-9a-f]{8}-[0-9a-f]+/m.exec(shown.out)?.[0] ?? "";
  const explained = await raia("explain", id);
  assert.match(explained.out, /^waiting\n {2}for argument 0: sleepy \([0-9a-f]{8}-[0-9a-f]+\)\n$/, explained.err);
  assert.match((await raia("explain", String(actor?.["actorId"]).slice(0, 8))).out, /^alive\n/);
  assert.equal((await raia("explain", "nobody")).code, 1);
  const json = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await raia(...args, "--format", "json")).out) as Record<string, unknown>;
  assert.equal((await json("explain", id))["state"], "waiting");
  const { jobs, pendingRequests, nodes } = (await json("status")) as {
    jobs: { driverPid: number }[];
    pendingRequests: number;
    nodes: unknown[];
  };
  assert.deepEqual([jobs.map(({ driverPid }) => driverPid), pendingRequests, nodes.length], [[child.pid], 0, 1]);
  const groups = (await json("memory"))["objects"] as { site: string; storedBytes: number }[];
  assert.ok(
    groups.some(({ site, storedBytes }) => site.includes("program.ts") && storedBytes >= 8 * 1024 * 1024),
    JSON.stringify(groups),
  );

  const memory = await raia("memory");
  assert.equal(memory.code, 0, memory.err);
  assert.match(memory.out, new RegExp(`^ *${child.pid} .* put .*program\\.ts:\\d+$`, "m"));
  assert.match(memory.out, /shared memory: 8\.0 MiB of/);

  // What happened reaches control within a second.
  const traced = async (): Promise<boolean> => {
    const { code, err } = await raia("timeline", "--output", "trace.json");
    assert.equal(code, 0, err);
    const { traceEvents } = JSON.parse(readFileSync(join(directory, "trace.json"), "utf8")) as {
      traceEvents: { name: string; cat?: string }[];
    };
    const kinds = new Set(traceEvents.filter(({ name }) => name === "quick").map(({ cat }) => cat));
    return ["submit", "wait", "run", "get"].every((kind) => kinds.has(kind));
  };
  assert.ok(await eventually(traced));
  const noJob = await raia("timeline", "--output", "none.json", "--job", "zz");
  assert.deepEqual([noJob.code, noJob.out, existsSync(join(directory, "none.json"))], [1, "", false]);
  assert.match(noJob.err, /^raia: timeline --job zz: there is no such job; raia list jobs/);

  child.kill("SIGINT");
  await outcome;
  const left = async (): Promise<boolean> => (await rows("workers", "--filter", `jobId=${job?.["jobId"] as string}`)).length === 0;
  assert.ok(await eventually(left), "workers of a job that is over");
});

async function eventually(isTrue: () => boolean | Promise<boolean>, withinMs = GONE_MS): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

function processes(): string[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "latin1");
    } catch {
      return ""; // It has ended since it was listed, or is somebody else's.
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(`RAIA_TMPDIR=${directory}\0`))
    .map((name) => `${name} ${read(`/proc/${name}/cmdline`).replaceAll("\0", " ")}`);
}
