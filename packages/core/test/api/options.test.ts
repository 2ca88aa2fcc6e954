/** What options do to real processes, and how a mistake in one is told. */
import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { get, init, remote, shutdown } from "@raia/core";

const directory = realpathSync(mkdtempSync(join(tmpdir(), "raia-options-")));

before(async () => {
  await init({ address: "local", numCpus: 4, runtimeEnv: { envVars: { OF_JOB: "yes", COLOUR: "grey" } } });
});

after(async () => {
  await shutdown();
  rmSync(directory, { recursive: true });
});

class Counter {
  #count = 0;
  add(by: number): number {
    return (this.#count += by);
  }
  split(): [number, string] {
    return [1, "a"];
  }
  async wait(signalled: boolean): Promise<boolean> {
    return signalled;
  }
}

test("a misspelt option is refused where it is written, not when it is called", () => {
  const misspelt = { numCpus: 1, maxRetrys: 2 };
  assert.throws(() => remote((x: number) => x, misspelt), { code: "INVALID_OPTION", message: /did you mean maxRetries/ });
  assert.throws(() => remote((x: number) => x).options(misspelt), { code: "INVALID_OPTION" });
  assert.throws(() => remote(Counter, { maxRestart: 1 } as object), { code: "INVALID_OPTION", message: /did you mean maxRestarts/ });
  assert.throws(() => remote(Counter).options({ maxCalls: 1 } as object), { code: "INVALID_OPTION", message: /an option of tasks/ });
  const handle = remote(Counter).remote();
  const ofTask: object = { numCpus: 1 };
  assert.throws(() => handle.add.options(ofTask), { code: "INVALID_OPTION", message: /not of methods of actors/ });
});

test("a misspelt option of init is refused before anything is started", async () => {
  await assert.rejects(init({ numCpu: 2 } as object), { code: "INVALID_OPTION", message: /did you mean numCpus/ });
  await assert.rejects(init({ numCpus: -1 }), { code: "INVALID_OPTION" });
  await assert.rejects(init({}), { code: "ALREADY_INITIALIZED" });
});

test("options that do not fit one another are refused when the actor is made", () => {
  assert.throws(() => remote(Counter).options({ getIfExists: true }).remote(), { code: "INVALID_OPTION", message: /needs a name/ });
});

test("variables of a task are its worker's, and its children inherit them", async () => {
  const read = remote((name: string) => process.env[name]);
  const childReads = remote(async (name: string) => await get(remote((inner: string) => process.env[inner]).remote(name)));
  const env = { runtimeEnv: { envVars: { COLOUR: "red", BOTH: "<${COLOUR}|${HOME}>" } } };
  assert.equal(await get(read.options(env).remote("COLOUR")), "red");
  assert.equal(await get(read.remote("COLOUR")), "grey");
  assert.equal(await get(read.options(env).remote("OF_JOB")), "yes");
  assert.equal(await get(read.options(env).remote("BOTH")), `<grey|${process.env["HOME"]}>`);
  assert.equal(await get(childReads.options(env).remote("COLOUR")), "red");
});

test("a working directory is where the worker runs, and a changed file means a new process", async () => {
  const file = join(directory, "part.txt");
  writeFileSync(file, "one");
  const where = remote(() => ({ cwd: process.cwd(), pid: process.pid }));
  const first = await get(where.options({ runtimeEnv: { workingDir: directory } }).remote());
  assert.equal(first.cwd, directory);
  const again = await get(where.options({ runtimeEnv: { workingDir: directory } }).remote());
  assert.equal(again.pid, first.pid);
  writeFileSync(file, "two");
  const changed = await get(where.options({ runtimeEnv: { workingDir: directory } }).remote());
  assert.notEqual(changed.pid, first.pid);
  assert.throws(() => where.options({ runtimeEnv: { workingDir: join(directory, "none") } }).remote(), { code: "RUNTIME_ENV_FAILED" });
});

test("a worker runs where the program stood when the handle was first called", async () => {
  const former = process.cwd();
  const here = remote(() => process.cwd());
  assert.equal(await get(here.remote()), former);
  process.chdir(directory);
  try {
    assert.deepEqual(await get([here.remote(), remote(() => process.cwd()).remote()]), [former, directory]);
  } finally {
    process.chdir(former);
  }
});

test("errors are tried again by the names of their classes", async () => {
  class Flaky extends Error {}
  const attempts = remote(Counter).remote();
  const fails = remote(
    async (kind: "flaky" | "type") => {
      const count = await get(attempts.add.remote(1));
      if (kind === "type") throw new TypeError(`attempt ${count}`);
      if (count < 3) throw new Flaky(`attempt ${count}`);
      return count;
    },
    { retryExceptions: [Flaky], maxRetries: 5 },
  );
  assert.equal(await get(fails.remote("flaky")), 3);
  await assert.rejects(get(fails.remote("type")), { message: "attempt 4" });
});

test("a signal cancels what it was given to, and what comes later", async () => {
  const controller = new AbortController();
  const forever = remote(() => new Promise<never>(() => {})).options({ signal: controller.signal });
  const started = forever.remote();
  controller.abort();
  await assert.rejects(get(started), { code: "TASK_CANCELLED" });
  await assert.rejects(get(forever.remote()), { code: "TASK_CANCELLED" });
});

test("a handle travels without its signal", async () => {
  const double = remote((x: number) => 2 * x).options({ signal: new AbortController().signal, retryExceptions: [RangeError] });
  const call = remote(async (x: number) => await get(double.remote(x)));
  assert.equal(await get(call.remote(4)), 8);
});
