/** Tasks that are lost, retried, cancelled or too slow. Codes C-1 to C-3: kills at chosen moments. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { isAlive } from "@raia/testing/fixtures/is-alive";
import { isRaised, note, notes, raise, spinUntilRaised, whenNoted, whenRaised } from "@raia/testing/fixtures/signals";
import { cancel, explain, get, listTasks, listWorkers, map, type RaiaError, remote, runtimeContext, wait } from "../../src/index.ts";

const cluster = testCluster();

describe("deaths and retries", () => {
  test("C-1: killed while it runs, retries left: one retry, and the result", async () => {
    const log = cluster.path("log");
    const work = remote(
      async (path: string) => {
        note(path, process.pid);
        if (runtimeContext().attempt === 0) await new Promise(() => {});
        return runtimeContext().attempt;
      },
      { maxRetries: 1 },
    );
    const ref = work.remote(log);
    const [pid] = await whenNoted(log, 1);
    process.kill(Number(pid), "SIGKILL");
    assert.equal(await get(ref), 1);
    assert.equal(notes(log).length, 2);
  });

  test("C-2: no retries left: a typed error with cause and the last lines of stderr", async () => {
    const log = cluster.path("log");
    const work = remote(
      async (path: string) => {
        process.stderr.write("the last words\n");
        note(path, process.pid);
        await new Promise(() => {});
      },
      { maxRetries: 0, name: "doomed" },
    );
    const ref = work.remote(log);
    const [pid] = await whenNoted(log, 1);
    process.kill(Number(pid), "SIGKILL");
    await assert.rejects(get(ref), (error: RaiaError) => {
      assert.equal(error.code, "WORKER_CRASHED");
      assert.equal(error.facts["cause"], "signal");
      assert.equal(error.facts["signal"], "SIGKILL");
      assert.equal(error.facts["pid"], Number(pid));
      assert.equal(error.facts["task"], "doomed");
      assert.equal(error.facts["attempt"], 0);
      assert.deepEqual(error.facts["stderrTail"], ["the last words"]);
      return true;
    });
    assert.equal(notes(log).length, 1);
  });

  test("C-3: killed after its result was sent: the result is kept, the task is not run again", async () => {
    const log = cluster.path("log");
    const work = remote((path: string) => {
      note(path, process.pid);
      return process.pid;
    });
    for (let round = 0; round < 10; round++) {
      const pid = await get(work.remote(log));
      process.kill(pid, "SIGKILL");
    }
    assert.equal(notes(log).length, 10);
  });

  test("a process that was shot leaves no socket in the session's directory", async () => {
    const askPid = remote(() => process.pid);
    const sockets = (): string[] =>
      readdirSync(cluster.directory, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isSocket() ? [entry.name] : []));
    for (let round = 0; round < 5; round++) process.kill(await get(askPid.remote()), "SIGKILL");
    await get(askPid.remote());
    const own = async (): Promise<string[]> =>
      (await listWorkers()).map(({ kind, workerId }) => `${kind === "driver" ? "d" : "w"}-${workerId.slice(0, 16)}`);
    const isClean = async (): Promise<boolean> => {
      const living = ["head", ...(await own())];
      return sockets().every((name) => living.includes(name));
    };
    assert.ok(await eventually(isClean, 10_000), sockets().join(" "));
    assert.ok(sockets().includes("head"));
  });

  test("process.exit in a task is a death with its exit code", async () => {
    const work = remote(() => process.exit(3), { maxRetries: 0 });
    await assert.rejects(get(work.remote()), { code: "WORKER_CRASHED" });
    await assert.rejects(get(work.remote()), (error: RaiaError) => error.facts["exitCode"] === 3 && error.facts["cause"] === "exit");
  });

  test("what waited behind a task that died is run, and counts no attempt", async () => {
    const log = cluster.path("log");
    const quick = remote((path: string, index: number) => {
      if (index === 50 && runtimeContext().attempt === 0) process.kill(process.pid, "SIGKILL");
      note(path, index);
      return [index, runtimeContext().attempt];
    });
    const results = await get(Array.from({ length: 200 }, (_, index) => quick.remote(log, index)));
    assert.deepEqual(
      results.map(([index]) => index),
      Array.from({ length: 200 }, (_, index) => index),
    );
    // Those whose results were lost with the process may have run twice; nobody ran more often.
    assert.ok(results.every(([, attempt]) => attempt! <= 1));
  });

  test("retryExceptions: all, or those of a class", async () => {
    const log = cluster.path("log");
    const flaky = remote((path: string) => {
      note(path, "run");
      if (runtimeContext().attempt < 2) throw new RangeError("again");
      return runtimeContext().attempt;
    });
    assert.equal(await get(flaky.options({ retryExceptions: true }).remote(log)), 2);
    assert.equal(await get(flaky.options({ retryExceptions: [RangeError] }).remote(log)), 2);
    await assert.rejects(get(flaky.options({ retryExceptions: [TypeError] }).remote(log)), RangeError);
    await assert.rejects(get(flaky.remote(log)), RangeError);
    await assert.rejects(get(flaky.options({ retryExceptions: true, maxRetries: 1 }).remote(log)), RangeError);
    assert.equal(notes(log).length, 3 + 3 + 1 + 1 + 2);
  });
});

test("attempts count from 0: what the last one sees, what its error says and what the list shows are one number", async () => {
  const log = cluster.path("log");
  const dies = remote(
    function dies(path: string): void {
      note(path, runtimeContext().attempt);
      process.kill(process.pid, "SIGKILL");
    },
    { maxRetries: 1 },
  );
  await assert.rejects(get(dies.remote(log)), (error: RaiaError) => error.facts["attempt"] === 1);
  assert.deepEqual(notes(log), ["0", "1"]);
  const row = async () => (await listTasks()).find(({ name }) => name === "dies");
  assert.ok(await eventually(async () => (await row())?.state === "failed", 5000));
  assert.equal((await row())?.attempt, 1);
});

describe("cancelling", () => {
  test("queued: it never runs", async () => {
    const go = cluster.path("go");
    const log = cluster.path("log");
    const block = remote(async (path: string) => whenRaised(path));
    const work = remote((path: string) => note(path, "ran"));
    const blockers = [block.remote(go), block.remote(go)];
    const ref = work.remote(log);
    cancel(ref);
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    raise(go);
    await get(blockers);
    await get(work.remote(log));
    assert.equal(notes(log).length, 1);
  });

  test("running: its signal aborts, and the ref rejects at once", async () => {
    const started = cluster.path("started");
    const stopped = cluster.path("stopped");
    const work = remote(async (begin: string, end: string) => {
      raise(begin);
      await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
      raise(end);
    });
    const ref = work.remote(started, stopped);
    await whenRaised(started);
    cancel(ref);
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    await whenRaised(stopped);
  });

  test("force: a task that does not listen is stopped with its process", async () => {
    const log = cluster.path("log");
    const never = cluster.path("never");
    const work = remote((path: string, until: string) => {
      note(path, process.pid);
      spinUntilRaised(until);
    });
    const ref = work.remote(log, never);
    const [pid] = await whenNoted(log, 1);
    cancel(ref, { force: true });
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    assert.ok(await eventually(() => !isAlive(Number(pid)), 5000), "the process is still there");
    assert.equal(notes(log).length, 1);
  });

  test("recursive: the children are cancelled, too; not when it says so", async () => {
    const parent = remote(async (log: string, stopped: string) => {
      const child = remote(async (path: string, end: string) => {
        note(path, "started");
        await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
        raise(end);
      });
      await get(child.remote(log, stopped));
    });
    const log = cluster.path("log");
    const stopped = cluster.path("stopped");
    const ref = parent.remote(log, stopped);
    await whenNoted(log, 1);
    cancel(ref);
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    await whenRaised(stopped);
  });

  /** Notes that it runs, and that it was told to stop. */
  const listens = remote(async function listens(path: string) {
    note(path, "begun");
    await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
    note(path, "stopped");
  });

  test("recursive: children that nobody waits for, and a parent that listens", async () => {
    const log = cluster.path("log");
    const parent = remote(async (path: string) => {
      listens.remote(path);
      await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
    });
    const ref = parent.remote(log);
    await whenNoted(log, 1);
    cancel(ref);
    assert.deepEqual(await whenNoted(log, 2), ["begun", "stopped"]);
  });

  test("recursive: what a task submits after it was told to stop is cancelled, too", async () => {
    const [begun, log, done] = [cluster.path("begun"), cluster.path("log"), cluster.path("done")];
    const parent = remote(async (started: string, path: string, end: string) => {
      raise(started);
      await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
      const late = await get(listens.remote(path)).catch((error: unknown) => (error as RaiaError).code);
      note(end, String(late));
    });
    const ref = parent.remote(begun, log, done);
    await whenRaised(begun);
    cancel(ref);
    assert.deepEqual(await whenNoted(done, 1), ["TASK_CANCELLED"]);
    assert.deepEqual(notes(log), []);
  });

  test("recursive: children of a task that had ended when it was cancelled, and its owner had not heard", async () => {
    const [log, go] = [cluster.path("log"), cluster.path("go")];
    const parent = remote(async (path: string, until: string) => {
      listens.remote(path);
      await whenRaised(until);
      note(path, "ended");
    });
    const ref = parent.remote(log, go);
    await whenNoted(log, 1);
    raise(go);
    // While this loop stands still, the result stays unread.
    const untilMs = performance.now() + 10_000;
    while (notes(log).length < 2) assert.ok(performance.now() < untilMs);
    cancel(ref);
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    assert.deepEqual(await whenNoted(log, 3), ["begun", "ended", "stopped"]);
  });

  test("force: the children go, too, though they never let their loop run", async () => {
    const [log, never] = [cluster.path("log"), cluster.path("never")];
    const parent = remote(
      async (path: string, until: string) => {
        const child = remote(
          (begun: string, end: string) => {
            note(begun, process.pid);
            spinUntilRaised(end);
          },
          { maxRetries: 0 },
        );
        await get(child.remote(path, until));
      },
      { maxRetries: 0 },
    );
    const ref = parent.remote(log, never);
    const [pid] = await whenNoted(log, 1);
    cancel(ref, { force: true });
    assert.ok(await eventually(() => !isAlive(Number(pid)), 10_000), "the child's process is still there");
  });

  test("what depends on a cancelled task fails like it", async () => {
    const never = cluster.path("never");
    const first = remote(async (path: string) => {
      await Promise.race([whenRaised(path), new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve))]);
      return 1;
    });
    const second = remote((x: number) => x);
    const ref = first.remote(never);
    const dependent = second.remote(ref);
    cancel(ref);
    await assert.rejects(get(dependent), { code: "TASK_CANCELLED" });
  });

  test("an AbortSignal among the options cancels; one that has aborted already, too", async () => {
    const started = cluster.path("started");
    const controller = new AbortController();
    const work = remote(async (begin: string) => {
      raise(begin);
      await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
    });
    const ref = work.options({ signal: controller.signal }).remote(started);
    await whenRaised(started);
    controller.abort();
    await assert.rejects(get(ref), { code: "TASK_CANCELLED" });
    const late = cluster.path("late");
    await assert.rejects(get(work.options({ signal: controller.signal }).remote(late)), { code: "TASK_CANCELLED" });
    assert.equal(isRaised(late), false);
  });
});

test("an error that nobody looks at is told of when its last reference goes, and no other", async (t) => {
  const lines: string[] = [];
  t.mock.method(process.stderr, "write", (text: unknown) => {
    lines.push(String(text));
    return true;
  });
  const unlucky = remote(function unlucky(): number {
    throw new RangeError("as meant");
  });
  const same = remote((x: number) => x);
  const waits = remote(() => new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve)));
  {
    using got = unlucky.remote();
    await assert.rejects(get(got), RangeError);
    using waited = unlucky.remote();
    await wait([waited]);
    using source = unlucky.remote();
    using dependent = same.remote(source);
    using cancelled = waits.remote();
    cancel(cancelled);
    using first = unlucky.remote();
    using second = unlucky.remote();
    await assert.rejects(get([first, second]), RangeError);
    await assert.rejects(get(dependent), RangeError);
    await assert.rejects(map([1, 2, 3], (item) => assert.equal(item, 0)).next());
    assert.ok(await eventually(async () => (await explain(second)).state === "failed", 5000));
  }
  assert.equal(lines.join(""), "");

  const ref = unlucky.remote();
  assert.ok(await eventually(async () => (await explain(ref)).state === "failed", 5000));
  ref[Symbol.dispose]();
  assert.equal(lines.length, 1, lines.join(""));
  assert.match(lines[0] as string, /^raia: unlucky failed, and nobody looked at its error: RangeError: as meant \(/);
});

describe("the reason of an abort", () => {
  const tells = remote(async (begun: string, told: string) => {
    const { signal } = runtimeContext();
    const child = remote(async (path: string, end: string) => {
      raise(path);
      const { signal: own } = runtimeContext();
      await new Promise((resolve) => own.addEventListener("abort", resolve));
      note(end, `child ${String(own.reason)}`);
    });
    child.remote(begun, told);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    const { reason } = signal as { reason: Error & { user?: string; socket?: string } };
    note(told, `${reason.name} ${reason.message} ${reason.user} ${reason.socket}`);
  });

  async function cancelledWith(controller: AbortController, reason?: unknown): Promise<{ lines: string[]; error: RaiaError }> {
    const [begun, told] = [cluster.path("begun"), cluster.path("told")];
    const ref = tells.options({ signal: controller.signal }).remote(begun, told);
    await whenRaised(begun);
    controller.abort(reason);
    const error = (await get(ref).catch((error: unknown) => error)) as RaiaError;
    return { lines: (await whenNoted(told, 2)).sort(), error };
  }

  test("it is signal.reason in the task and in the calls that it made, and the cause of TASK_CANCELLED", async () => {
    const reason = Object.assign(new RangeError("left the page"), { user: "ann" });
    const { lines, error } = await cancelledWith(new AbortController(), reason);
    assert.deepEqual(lines, ["RangeError left the page ann undefined", "child RangeError: left the page"]);
    assert.equal(error.code, "TASK_CANCELLED");
    assert.equal(error.cause, reason);
  });

  test("none given: the one that abort() makes", async () => {
    const { lines, error } = await cancelledWith(new AbortController());
    assert.match(lines[0] as string, /^AbortError This operation was aborted/);
    assert.equal((error.cause as Error).name, "AbortError");
  });
});

describe("time limits", () => {
  test("timeoutMs counts running time", async () => {
    const stopped = cluster.path("stopped");
    const slow = remote(
      async (path: string) => {
        await new Promise((resolve) => runtimeContext().signal.addEventListener("abort", resolve));
        raise(path);
      },
      { timeoutMs: 50 },
    );
    await assert.rejects(get(slow.remote(stopped)), { code: "TASK_TIMEOUT" });
    await whenRaised(stopped);
  });

  test("timeoutMs: a busy loop loses its process, the next task has another", async () => {
    const log = cluster.path("log");
    const never = cluster.path("never");
    const busy = remote(
      (path: string, until: string) => {
        note(path, process.pid);
        spinUntilRaised(until);
      },
      { timeoutMs: 50 },
    );
    await assert.rejects(get(busy.remote(log, never)), { code: "TASK_TIMEOUT" });
    const [pid] = await whenNoted(log, 1);
    assert.ok(await eventually(() => !isAlive(Number(pid)), 5000), "the process is still there");
    assert.equal(await get(remote(() => 1).remote()), 1);
  });

  test("queueTimeoutMs counts the time before", async () => {
    const go = cluster.path("go");
    const log = cluster.path("log");
    const block = remote(async (path: string) => whenRaised(path));
    const work = remote((path: string) => note(path, "ran"), { queueTimeoutMs: 50 });
    const blockers = [block.remote(go), block.remote(go)];
    await assert.rejects(get(work.remote(log)), { code: "QUEUE_TIMEOUT" });
    raise(go);
    await get(blockers);
    await get(work.options({ queueTimeoutMs: 20_000 }).remote(log));
    assert.equal(notes(log).length, 1);
  });

  test("get: timeoutMs and signal", async () => {
    const go = cluster.path("go");
    const ref = remote(async (path: string) => whenRaised(path)).remote(go);
    await assert.rejects(get(ref, { timeoutMs: 20 }), { code: "GET_TIMEOUT" });
    await assert.rejects(get(ref, { signal: AbortSignal.abort(new Error("enough")) }), { message: "enough" });
    raise(go);
    await get(ref);
  });
});

describe("limits of a worker", () => {
  test("maxCalls: a process that has served its calls gets no more work while a neighbour still runs there", async () => {
    const [begun, go] = [cluster.path("begun"), cluster.path("go")];
    const half = { numCpus: 0.5 };
    const neighbour = remote(async (begun: string, go: string) => {
      raise(begun);
      await whenRaised(go);
      return process.pid;
    }, half);
    const once = remote(() => process.pid, { ...half, maxCalls: 1 });
    const other = remote(() => process.pid, half);
    const running = neighbour.remote(begun, go);
    await whenRaised(begun);
    const served = await get(once.remote());
    const next = await get(other.remote());
    raise(go);
    assert.equal(await get(running), served, "they shared a process");
    assert.notEqual(next, served);
    assert.ok(await eventually(() => !isAlive(served), 5000), "it still runs");
  });

  test("maxCalls: the process ends after so many", async () => {
    const ask = remote(() => process.pid, { maxCalls: 1, maxRetries: 0 });
    const pids = await get([ask.remote(), ask.remote(), ask.remote(), ask.remote()]);
    assert.equal(new Set(pids).size, 4);
    for (const pid of pids) assert.ok(await eventually(() => !isAlive(pid), 10_000));
  });

  test("isolation shared: 10,000 tasks that wait need seconds and a handful of processes", { timeout: 60_000 }, async () => {
    const wait = remote(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        return process.pid;
      },
      { numCpus: 0.01 },
    );
    const startedMs = performance.now();
    const pids = await get(Array.from({ length: 10_000 }, () => wait.remote()));
    const seconds = (performance.now() - startedMs) / 1000;
    assert.ok(new Set(pids).size <= 6, `${new Set(pids).size} processes`);
    assert.ok(seconds < 20, `${seconds} s`);
  });

  test("a task that asks for more than there is fails after 5 s with the numbers", async () => {
    const ref = remote(() => 1, { numCpus: 64 }).remote();
    await assert.rejects(get(ref), (error: RaiaError) => {
      assert.equal(error.code, "TASK_UNSCHEDULABLE");
      assert.match(error.message, /64/);
      assert.deepEqual(Object.keys(error.facts).toSorted(), ["lacks", "nodes", "task"]);
      return true;
    });
  });
});
