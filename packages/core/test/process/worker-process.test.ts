import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { realClock } from "../../src/base/clock.ts";
import type { DeathCause } from "../../src/node/death-cause.ts";
import { KernelKills } from "../../src/node/kernel-kills.ts";
import { findControlGroup, oomKillCounter } from "../../src/node/memory-cgroup.ts";
import { realHostProbe } from "../../src/node/real-host-probe.ts";
import { RealWorkerSpawner } from "../../src/node/real-worker-spawner.ts";
import type { WorkerProcess, WorkerSpec } from "../../src/node/worker-process.ts";

interface Life {
  readonly child: WorkerProcess;
  readonly death: Promise<DeathCause>;
  /** Resolves once the process has written this to stdout. */
  readonly said: (text: string) => Promise<void>;
  readonly output: { stdout: string; stderr: string };
}

function start(source: string, spec: Partial<WorkerSpec> = {}, kernelKills = oomKillCounter(realHostProbe)): Life {
  const clock = realClock;
  const spawner = new RealWorkerSpawner({ clock, probe: realHostProbe, kernelKills: new KernelKills(clock, kernelKills) });
  const output = { stdout: "", stderr: "" };
  const dead = Promise.withResolvers<DeathCause>();
  const waiting = new Set<() => void>();
  const child = spawner.spawn(
    { command: process.execPath, args: ["-e", source], env: {}, ...spec },
    {
      onOutput(stream, chunk) {
        output[stream] += chunk.toString();
        for (const check of waiting) check();
      },
      onDeath: dead.resolve,
    },
  );
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (output.stdout.includes(text)) resolve();
      };
      waiting.add(check);
      check();
      dead.promise.then(() => reject(new Error(`died before it said ${text}: ${output.stderr}`)), reject);
    });
  return { child, death: dead.promise, said, output };
}

const FOR_EVER = "setInterval(() => {}, 1000); console.log('up');";

test("worker process: exit code 3", async () => {
  const { child, death, output } = start("console.log('out'); console.error('err'); process.exitCode = 3");
  const { pid } = child;

  assert.deepEqual(await death, { kind: "exit", pid, exitCode: 3, stderrTail: ["err"] });
  assert.deepEqual([output.stdout, child.isAlive], ["out\n", false]);
});

test("worker process: an uncaught error is an exit with 1 and its text", async () => {
  const cause = await start("throw new RangeError('boom')").death;

  assert.deepEqual([cause.kind, cause.exitCode], ["exit", 1]);
  assert.ok(cause.stderrTail.includes("RangeError: boom"), cause.stderrTail.join("\n"));
});

test("worker process: SIGKILL from outside", async () => {
  const { child, death, said } = start(FOR_EVER);
  await said("up");
  process.kill(child.pid!, "SIGKILL");

  const cause = await death;
  assert.deepEqual([cause.kind, cause.signal, cause.exitCode], ["signal", "SIGKILL", undefined]);
});

test("worker process: segmentation fault and abort", async () => {
  const [segv, abort] = await Promise.all([start("process.kill(process.pid, 'SIGSEGV')").death, start("process.abort()").death]);

  assert.deepEqual([segv.kind, segv.signal], ["native-abort", "SIGSEGV"]);
  assert.deepEqual([abort.kind, abort.signal], ["native-abort", "SIGABRT"]);
});

test("worker process: heap out of memory, told from other aborts", async () => {
  const source = "const a = []; for (;;) a.push(new Array(1000).fill({}))";
  const cause = await start("", { args: ["--max-old-space-size=30", "-e", source] }).death;

  assert.equal(cause.kind, "oom-heap", JSON.stringify(cause));
});

test("worker process: a missing binary, and one that may not be run", async () => {
  const [missing, forbidden] = await Promise.all([
    start("", { command: "/nonexistent/node" }).death,
    start("", { command: import.meta.filename }).death,
  ]);

  assert.deepEqual(missing, { kind: "start-failed", errorCode: "ENOENT", stderrTail: [] });
  assert.deepEqual(forbidden, { kind: "start-failed", errorCode: "EACCES", stderrTail: [] });
});

test("worker process: an environment too large to start with is a start that failed", async () => {
  const { child, death } = start("", { env: { HUGE: "x".repeat(4 << 20) } });

  assert.equal(child.pid, undefined);
  assert.deepEqual(await death, { kind: "start-failed", errorCode: "E2BIG", stderrTail: [] });
});

test("worker process: whose kill it was is told, also when the process exits on SIGTERM", async () => {
  const user = start(FOR_EVER);
  const node = start(`process.on('SIGTERM', () => process.exit(0)); ${FOR_EVER}`);
  const monitor = start(FOR_EVER);
  await Promise.all([user.said("up"), node.said("up"), monitor.said("up")]);
  assert.ok(monitor.child.sampleMemory()! > 4 * 2 ** 20 || process.platform !== "linux");
  user.child.kill("SIGKILL", { by: "user" });
  node.child.kill("SIGTERM", { by: "node" });
  monitor.child.killGroup("SIGKILL", { by: "memory-monitor", nodeUsedBytes: 96, nodeTotalBytes: 100 });

  assert.equal((await user.death).kind, "killed-by-user");
  assert.equal((await node.death).kind, "stopped-by-node");
  const killed = await monitor.death;
  assert.equal(killed.kind, "oom-monitor");
  assert.equal(killed.memory?.nodeUsedBytes, 96);
});

test("worker process: what it started dies with it, and its open pipe does not hold back the news", async () => {
  const source = `
    const { spawn } = require("node:child_process");
    const grandchild = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
    console.log("grandchild " + grandchild.pid + ";");
    ${FOR_EVER}`;
  const { child, death, said, output } = start(source);
  await said("up");
  const grandchildPid = Number(/grandchild (\d+);/.exec(output.stdout)?.[1]);
  process.kill(child.pid!, "SIGKILL");

  assert.equal((await death).signal, "SIGKILL");
  // Its pipe was closed by its own death, or the news would have come only after the drain.
  assert.ok(await gone(grandchildPid), "the grandchild lives on");
});

test("worker process: a descendant in another group cannot hold back the news", async () => {
  const source = `
    const { spawn } = require("node:child_process");
    const stray = spawn(process.execPath, ["-e", "setTimeout(() => {}, 5000)"], { stdio: "inherit", detached: true });
    console.log("stray " + stray.pid + ";"); console.error("last words");
    ${FOR_EVER}`;
  const { child, death, said, output } = start(source);
  await said("up");
  process.kill(child.pid!, "SIGKILL");

  assert.deepEqual((await death).stderrTail, ["last words"]);
  process.kill(Number(/stray (\d+);/.exec(output.stdout)?.[1]), "SIGKILL");
});

test("worker process: the kernel is to take workers first, and they yield the CPU", { skip: process.platform !== "linux" }, async () => {
  const { child, death, said } = start(FOR_EVER, { nice: 5 });
  await said("up");

  assert.equal(readFileSync(`/proc/${child.pid}/oom_score_adj`, "latin1").trim(), "1000");
  assert.equal(readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1]?.split(" ")[16], "5");
  child.kill("SIGKILL", { by: "node" });
  await death;
});

const group = findControlGroup(realHostProbe, "memory", { v1: "memory.usage_in_bytes", v2: "memory.current" });
const parent = group?.version === 1 && process.getuid?.() === 0 ? group.directories[0] : undefined;

test("worker process: killed by the kernel for memory", {
  skip: parent === undefined && "needs a writable cgroup v1 memory group",
}, async (t) => {
  const cgroup = `${parent}/raia-test-${process.pid}`;
  try {
    mkdirSync(cgroup);
  } catch {
    return t.skip("the memory group is read-only here");
  }
  try {
    writeFileSync(`${cgroup}/memory.limit_in_bytes`, `${100 * 2 ** 20}`);
    const counter = (): number => Number(/^oom_kill (\d+)/m.exec(readFileSync(`${cgroup}/memory.oom_control`, "latin1"))?.[1] ?? 0);
    const source =
      "process.stdin; console.log('up'); process.on('SIGUSR2', () => { const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1)); }); setInterval(() => {}, 1000)";
    const { child, death, said } = start(source, {}, counter);
    await said("up");
    writeFileSync(`${cgroup}/cgroup.procs`, String(child.pid));
    process.kill(child.pid!, "SIGUSR2");

    const cause = await death;
    assert.equal(cause.kind, "oom-kernel", JSON.stringify(cause));
    return undefined;
  } finally {
    rmdirSync(cgroup);
  }
});

/** Polls without a timer of its own: each look is a turn of the event loop. */
async function gone(pid: number): Promise<boolean> {
  const untilMs = performance.now() + 2000;
  while (performance.now() < untilMs) {
    if (!isRunning(pid)) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

function isRunning(pid: number): boolean {
  if (process.platform !== "linux") return signalReaches(pid);
  // An orphan that nobody reaps yet is a zombie: dead enough.
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

function signalReaches(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
