/** What a worker has before it runs the work, and what is said when it cannot have it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import { explain, get, init, nodes, RaiaError, remote, shutdown } from "../../src/index.ts";

const cluster = testCluster();

function failsWith(code: string, facts: Readonly<Record<string, unknown>> = {}): (error: unknown) => boolean {
  return (error) => {
    assert.ok(RaiaError.is(error), String(error));
    assert.equal(error.code, code, error.message);
    for (const [name, fact] of Object.entries(facts)) assert.deepEqual(error.facts[name], fact, name);
    return true;
  };
}

function hook(name: string, source: string): string {
  const path = `${cluster.path(name)}.mjs`;
  writeFileSync(path, source);
  return path;
}

describe("set-up hooks", () => {
  test("runs once in each worker, before anything else", async () => {
    const path = hook("counts", "export function setUp() { globalThis.setUps = (globalThis.setUps ?? 0) + 1; }");
    const count = remote(() => (globalThis as unknown as { setUps: number }).setUps, { runtimeEnv: { setupHook: `${path}#setUp` } });
    assert.deepEqual([await get(count.remote()), await get(count.remote())], [1, 1]);
  });

  test("one that throws: RUNTIME_ENV_FAILED at once, with what it said", async () => {
    const path = hook("throws", `export function setUp() { throw new Error("no database"); }`);
    const never = remote(() => 1, { runtimeEnv: { setupHook: `${path}#setUp` } });
    await assert.rejects(get(never.remote()), (error) => {
      failsWith("RUNTIME_ENV_FAILED", { setupHook: `${path}#setUp`, exitCode: 78 })(error);
      assert.match((error as RaiaError).message, /no database/);
      return true;
    });
  });

  test("an export that is not there, or is no function, is named with its module", async () => {
    const path = hook("exports", "export const level = 3; export function setUp() {}");
    for (const [name, said] of [
      ["nope", "is not there; its functions: setUp"],
      ["level", "is not a function but number; its functions: setUp"],
    ] as const) {
      const never = remote(() => 1, { runtimeEnv: { setupHook: `${path}#${name}` } });
      await assert.rejects(get(never.remote()), (error) => {
        failsWith("RUNTIME_ENV_FAILED", { setupHook: `${path}#${name}` })(error);
        assert.ok((error as RaiaError).message.includes(`export ${name} of ${path} ${said}`), (error as RaiaError).message);
        return true;
      });
    }
  });

  test("one that is not there, of an actor: with what it said, as of a task", async () => {
    class Never {
      value(): number {
        return 1;
      }
    }
    const never = remote(Never, { runtimeEnv: { setupHook: "./nowhere.mjs" } }).remote();
    await assert.rejects(get(never.value.remote()), (error) => {
      failsWith("RUNTIME_ENV_FAILED", { setupHook: "./nowhere.mjs", cause: "exit", exitCode: 78 })(error);
      assert.match(JSON.stringify((error as RaiaError).facts["stderrTail"]), /nowhere\.mjs/);
      return true;
    });
  });
});

test("variables with which Node does not start: RUNTIME_ENV_FAILED with its exit code", async () => {
  const never = remote(() => 1, { runtimeEnv: { envVars: { NODE_OPTIONS: "--no-such-flag" } } });
  await assert.rejects(get(never.remote()), failsWith("RUNTIME_ENV_FAILED", { exitCode: 9 }));
  assert.equal(await get(remote(() => 1).remote()), 1);
});

describe("where work may be placed", () => {
  test("another node, another label: never on one machine, and it says why", async () => {
    const far = remote(() => 1, { schedulingStrategy: { nodeId: "ab".repeat(28) } }).remote();
    const labelled = remote(() => 1, { labelSelector: { region: "eu" } }).remote();
    assert.ok(await eventually(async () => /wants label region eu/.test(JSON.stringify(await explain(labelled))), 3000));
    await assert.rejects(get(far), failsWith("TASK_UNSCHEDULABLE", { lacks: [`wants node ${"ab".repeat(28)}, which is not there`] }));
    await assert.rejects(get(labelled), failsWith("TASK_UNSCHEDULABLE", { lacks: ["wants label region eu, node has none"] }));
  });

  test("this node, a soft wish, a fallback", async () => {
    const [node] = await nodes();
    const one = (): number => 1;
    const results = [
      remote(one, { schedulingStrategy: { nodeId: node?.nodeId ?? "" } }).remote(),
      remote(one, { schedulingStrategy: { nodeId: "ab".repeat(28), soft: true } }).remote(),
      remote(one, { schedulingStrategy: "SPREAD" }).remote(),
      remote(one, { labelSelector: { region: "eu" }, fallbackStrategy: [{ labelSelector: { region: "!eu" } }] }).remote(),
    ];
    assert.deepEqual(await get(results), [1, 1, 1, 1]);
  });

  test("what is no placement group is refused", () => {
    const grouped = { schedulingStrategy: { placementGroup: { id: "pg" } } };
    assert.throws(() => remote(() => 1, grouped), failsWith("INVALID_OPTION", { option: "schedulingStrategy.placementGroup" }));
  });
});

test("the environment of a job: all of its tasks and actors have it, with their own on top", async () => {
  await shutdown();
  process.env["RAIA_TEST_STAGE"] = "test";
  await init({
    address: "local",
    numCpus: 2,
    logToDriver: false,
    labels: { region: "eu" },
    runtimeEnv: { envVars: { TABLE: "t_${RAIA_TEST_STAGE}", COLOUR: "red" } },
  });
  delete process.env["RAIA_TEST_STAGE"];
  const look = (): (string | undefined)[] => [process.env["TABLE"], process.env["COLOUR"]];
  class Looker {
    async look(): Promise<readonly (string | undefined)[][]> {
      const own = [process.env["TABLE"], process.env["COLOUR"]];
      return [own, await get(remote(look).remote())];
    }
  }
  assert.deepEqual(await get(remote(look).remote()), ["t_test", "red"]);
  assert.deepEqual(await get(remote(look, { labelSelector: { region: "in(eu,us)" } }).remote()), ["t_test", "red"]);
  const overlaid = remote(Looker, { runtimeEnv: { envVars: { COLOUR: "${COLOUR}dish" } } }).remote();
  assert.deepEqual(await get(overlaid.look.remote()), [
    ["t_test", "reddish"],
    ["t_test", "reddish"],
  ]);
});
