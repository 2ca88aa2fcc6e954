import assert from "node:assert/strict";
import test from "node:test";
import { RaiaError } from "../base/errors.ts";
import {
  checkActorAsWhole,
  checkActorOptions,
  checkInitOptions,
  checkMapOptions,
  checkMethodOptions,
  checkTaskOptions,
  normalActorOptions,
  normalMethodOptions,
  normalTaskOptions,
} from "./options.ts";

function refused(run: () => unknown): RaiaError {
  try {
    run();
  } catch (error) {
    assert.ok(RaiaError.is(error, "INVALID_OPTION"), String(error));
    return error;
  }
  return assert.fail("it was accepted");
}

/** As a handle shows itself. */
const group = { id: "0a".repeat(18), bundleSpecs: [{ CPU: 1 }, { CPU: 2, GPU: 1 }] };

test("an unknown option is refused with the nearest known one", () => {
  const error = refused(() => checkTaskOptions({ numCpus: 1, maxRetry: 2 }));
  assert.equal(error.facts["option"], "maxRetry");
  assert.equal(error.facts["nearest"], "maxRetries");
  assert.match(error.message, /did you mean maxRetries/);
  assert.equal(refused(() => checkTaskOptions({ num_cpus: 1 })).facts["nearest"], "numCpus");
  assert.equal(refused(() => checkTaskOptions({ colour: 1 })).facts["nearest"], undefined);
});

test("an option of something else is refused by saying of what", () => {
  assert.match(refused(() => checkActorOptions({ maxCalls: 1 })).message, /maxCalls is an option of tasks, not of actors/);
  assert.match(refused(() => checkTaskOptions({ concurrencyGroups: { io: 1 } })).message, /is an option of actors, not of tasks/);
  assert.match(refused(() => checkTaskOptions({ methods: {} })).message, /is an option of actors, not of tasks/);
  assert.match(refused(() => checkMethodOptions({ numCpus: 1 })).message, /not of methods of actors/);
  assert.match(refused(() => checkInitOptions({ maxRetries: 1 })).message, /is an option of tasks, not of init/);
  assert.match(refused(() => checkInitOptions({ numGpus: 0.5 })).message, /must have whole devices/);
  assert.match(refused(() => checkInitOptions({ resources: { HPU: 0.5 } })).message, /whole/);
  assert.match(refused(() => checkInitOptions({ labels: { "no spaces": "x" } })).message, /labels must have keys/);
});

test("names that every object has are no options", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty"]) refused(() => checkTaskOptions({ [name]: 1 }));
  refused(() => checkTaskOptions(JSON.parse('{"__proto__": {"numCpus": 1}}')));
});

test("a wrong value is refused with option, value and what is allowed", () => {
  const wrong: [options: object, option: string, value: string][] = [
    [{ numCpus: Number.NaN }, "numCpus", "NaN"],
    [{ numCpus: -1 }, "numCpus", "-1"],
    [{ numGpus: Number.POSITIVE_INFINITY }, "numGpus", "Infinity"],
    [{ numGpus: 1.5 }, "numGpus", "1.5"],
    [{ memory: -5 }, "memory", "-5"],
    [{ resources: { CPU: 1 } }, "resources.CPU", "1"],
    [{ maxRetries: -2 }, "maxRetries", "-2"],
    [{ maxRetries: 1.5 }, "maxRetries", "1.5"],
    [{ maxRetries: "3" }, "maxRetries", '"3"'],
    [{ maxRetries: Number.POSITIVE_INFINITY }, "maxRetries", "Infinity"],
    [{ numReturns: "stream" }, "numReturns", '"stream"'],
    [{ numReturns: -1 }, "numReturns", "-1"],
    [{ numReturns: 1e9 }, "numReturns", "1000000000"],
    [{ maxCalls: -1 }, "maxCalls", "-1"],
    [{ timeoutMs: 0 }, "timeoutMs", "0"],
    [{ timeoutMs: Number.NaN }, "timeoutMs", "NaN"],
    [{ queueTimeoutMs: 2 ** 31 }, "queueTimeoutMs", "2147483648"],
    [{ generatorBackpressure: 0 }, "generatorBackpressure", "0"],
    [{ name: "" }, "name", '""'],
    [{ name: "a\n(b pid=1) forged" }, "name", String.raw`"a\n(b pid=1) forged"`],
    [{ name: "a\u001b[31m" }, "name", String.raw`"a\u001b[31m"`],
    [{ name: "a\u2028b" }, "name", '"a\u2028b"'],
    [{ isolation: "fork" }, "isolation", '"fork"'],
    [{ signal: {} }, "signal", "an object"],
    [{ retryExceptions: [] }, "retryExceptions", "an array of 0"],
    [{ retryExceptions: [class extends Error {}] }, "retryExceptions[0]", "function (anonymous)"],
    [{ retryExceptions: () => {} }, "retryExceptions", "function retryExceptions"],
    [{ labelSelector: { region: 1 } }, "labelSelector.region", "1"],
    [{ fallbackStrategy: { labelSelector: {} } }, "fallbackStrategy", "an object"],
    [{ schedulingStrategy: "PACK" }, "schedulingStrategy", '"PACK"'],
    [{ schedulingStrategy: {} }, "schedulingStrategy", "an object"],
    [{ schedulingStrategy: { placementGroup: { id: "a" } } }, "schedulingStrategy.placementGroup", "an object"],
    [{ schedulingStrategy: { placementGroup: group, soft: true } }, "schedulingStrategy.soft", "true"],
    [{ schedulingStrategy: { placementGroup: group, placementGroupBundleIndex: 2 } }, "schedulingStrategy.placementGroupBundleIndex", "2"],
    [
      { schedulingStrategy: { placementGroup: group, placementGroupBundleIndex: NaN } },
      "schedulingStrategy.placementGroupBundleIndex",
      "NaN",
    ],
    [{ schedulingStrategy: { nodeId: "a", placementGroupBundleIndex: 1 } }, "schedulingStrategy.placementGroupBundleIndex", "1"],
  ];
  for (const [options, option, value] of wrong) {
    const { facts } = refused(() => checkTaskOptions(options));
    assert.equal(facts["option"], option, JSON.stringify(options));
    assert.equal(facts["value"], value, option);
    assert.equal(typeof facts["rule"], "string");
  }
});

test("options must be a record", () => {
  for (const options of [null, 1, "fast", [1], () => {}]) refused(() => checkTaskOptions(options));
});

test("a mistake inside an option is named with its path", () => {
  const strategy = refused(() => checkTaskOptions({ schedulingStrategy: { nodeID: "a" } }));
  assert.equal(strategy.facts["option"], "schedulingStrategy.nodeID");
  assert.equal(strategy.facts["nearest"], "nodeId");
  const method = refused(() => checkActorOptions({ methods: { add: { numReturn: 2 } } }));
  assert.equal(method.facts["option"], "methods.add.numReturn");
  assert.equal(method.facts["nearest"], "numReturns");
  assert.equal(refused(() => checkTaskOptions({ fallbackStrategy: [{ labels: {} }] })).facts["option"], "fallbackStrategy[0].labels");
});

test("an option without a value is as good as absent", () => {
  assert.deepEqual(checkTaskOptions({ numCpus: undefined, name: "a" }), { name: "a" });
});

test("what is kept is a copy, and plain: later changes of the caller's objects do not matter", () => {
  const resources = { disk: 1 };
  const kept = checkTaskOptions({ resources, retryExceptions: [TypeError, RangeError, "MyError"] });
  resources.disk = 2;
  assert.deepEqual(kept, { resources: { disk: 1 }, retryExceptions: ["TypeError", "RangeError", "MyError"] });
  assert.deepEqual(checkTaskOptions(kept), kept);
  const made = { ...group, ready: () => {} };
  assert.deepEqual(checkTaskOptions({ schedulingStrategy: { placementGroup: made } }), { schedulingStrategy: { placementGroup: group } });
});

test("a task asks for one CPU, three retries, and a process of its own", () => {
  const normal = normalTaskOptions(checkTaskOptions({}), false);
  assert.equal(normal.numReturns, 1);
  assert.equal(normal.maxRetries, 3);
  assert.equal(normal.retryExceptions, false);
  assert.equal(normal.maxCalls, 0);
  assert.deepEqual(normal.demand, {
    resources: { CPU: 10_000 },
    runtimeEnv: { hash: "", envVars: {} },
    isolation: "process",
    strategy: { kind: "DEFAULT" },
    mayRerun: true,
  });
  assert.equal(normalTaskOptions(checkTaskOptions({}), true).numReturns, "streaming");
  assert.equal(normalTaskOptions(checkTaskOptions({ numReturns: 1 }), true).numReturns, 1);
});

test("less than a CPU shares a process, if it may run again and holds no device", () => {
  const isolation = (options: object) => normalTaskOptions(checkTaskOptions(options), false).demand.isolation;
  assert.equal(isolation({ numCpus: 0.1 }), "shared");
  assert.equal(isolation({ numCpus: 0 }), "shared");
  assert.equal(isolation({ numCpus: 1 }), "process");
  assert.equal(isolation({ numCpus: 0.1, maxRetries: 0 }), "process");
  assert.equal(isolation({ numCpus: 0.1, maxRetries: -1 }), "shared");
  assert.equal(isolation({ numCpus: 0, numGpus: 0.5 }), "process");
  assert.equal(isolation({ numCpus: 0, resources: { TPU: 1 } }), "process");
  assert.equal(isolation({ numCpus: 0, resources: { disk: 1 } }), "shared");
  assert.equal(isolation({ numCpus: 0.1, maxRetries: 0, isolation: "shared" }), "shared");
  assert.equal(isolation({ numCpus: 0.1, isolation: "thread" }), "thread");
});

test("what may not run again says so to the node", () => {
  assert.equal(normalTaskOptions(checkTaskOptions({ maxRetries: 0 }), false).demand.mayRerun, false);
  assert.equal(normalActorOptions(checkActorOptions({}), false).demand.mayRerun, false);
  assert.equal(normalActorOptions(checkActorOptions({ maxRestarts: -1 }), false).demand.mayRerun, true);
});

test("an actor takes one CPU to be placed and none to run, unless it is said", () => {
  const plain = normalActorOptions(checkActorOptions({ numGpus: 1 }), false);
  assert.deepEqual(plain.demand.resources, { CPU: 10_000, GPU: 10_000 });
  assert.deepEqual(plain.runResources, { GPU: 10_000 });
  const said = normalActorOptions(checkActorOptions({ numCpus: 0.5 }), false);
  assert.deepEqual(said.demand.resources, { CPU: 5000 });
  assert.deepEqual(said.runResources, { CPU: 5000 });
  const none = normalActorOptions(checkActorOptions({ numCpus: 0 }), false);
  assert.deepEqual(none.demand.resources, {});
});

test("an actor runs one call at a time, and a thousand when it has an async method", () => {
  assert.equal(normalActorOptions(checkActorOptions({}), false).maxConcurrency, 1);
  assert.equal(normalActorOptions(checkActorOptions({}), true).maxConcurrency, 1000);
  assert.equal(normalActorOptions(checkActorOptions({ maxConcurrency: 3 }), true).maxConcurrency, 3);
  refused(() => checkActorOptions({ maxConcurrency: 0 }));
  refused(() => checkActorOptions({ maxPendingCalls: 0 }));
  assert.equal(normalActorOptions(checkActorOptions({}), false).maxPendingCalls, -1);
});

test("options of an actor must fit one another when it is made", () => {
  assert.match(refused(() => checkActorAsWhole(checkActorOptions({ getIfExists: true }))).message, /needs a name/);
  checkActorAsWhole(checkActorOptions({ getIfExists: true, name: "a" }));
  const grouped = checkActorOptions({ concurrencyGroups: { io: 2 }, methods: { read: { concurrencyGroup: "oi" } } });
  assert.equal(refused(() => checkActorAsWhole(grouped)).facts["option"], "methods.read.concurrencyGroup");
  refused(() => checkActorOptions({ methods: { read: { signal: AbortSignal.abort() } } }));
  refused(() => checkActorOptions({ lifetime: "forever" }));
  assert.match(refused(() => checkTaskOptions({ isolation: "shard" })).message, /did you mean shared\?/);
  assert.equal(refused(() => checkMapOptions({ concurency: 2 })).facts["nearest"], "concurrency");
  assert.match(refused(() => checkInitOptions({ objectStoreMemory: 1 })).message, /from 1048576 to 17592186044416/);
});

test("a method's options stand above those of its class", () => {
  const normal = normalMethodOptions(checkMethodOptions({ maxTaskRetries: 2, concurrencyGroup: "io" }), false, 5);
  assert.equal(normal.maxRetries, 2);
  assert.equal(normal.concurrencyGroup, "io");
  assert.equal(normalMethodOptions(checkMethodOptions({}), true, 5).maxRetries, 5);
  assert.equal(normalMethodOptions(checkMethodOptions({}), true, 5).numReturns, "streaming");
});

test("strategies and selectors are asked for as the node knows them", () => {
  const demand = (options: object) => normalTaskOptions(checkTaskOptions(options), false).demand;
  assert.deepEqual(demand({ schedulingStrategy: "SPREAD" }).strategy, { kind: "SPREAD" });
  assert.deepEqual(demand({ schedulingStrategy: { nodeId: "n1" } }).strategy, { kind: "NODE", nodeId: "n1", soft: false });
  assert.deepEqual(demand({ schedulingStrategy: { placementGroup: group } }).strategy, {
    kind: "PLACEMENT_GROUP",
    placementGroupId: group.id,
    bundleIndex: -1,
    captureChildTasks: false,
  });
  const selected = demand({ labelSelector: { region: "eu" }, fallbackStrategy: [{ labelSelector: { region: "!us" } }] });
  assert.deepEqual(selected.labelSelector, { region: "eu" });
  assert.deepEqual(selected.fallbackSelectors, [{ region: "!us" }]);
});

test("an error shows no contents of what it refuses", () => {
  const secret = { token: "hunter2" };
  assert.doesNotMatch(refused(() => checkTaskOptions({ name: secret })).message, /hunter2/);
  assert.doesNotMatch(refused(() => checkTaskOptions({ name: [secret] })).message, /hunter2/);
  assert.ok(refused(() => checkTaskOptions({ name: "x".repeat(1e6) })).message.length < 1000);
});

test("what no bundle of its group can ever hold is refused at once, with the numbers", () => {
  const inGroup = (options: object, index?: number) => {
    const strategy = { placementGroup: group, ...(index !== undefined && { placementGroupBundleIndex: index }) };
    return normalTaskOptions(checkTaskOptions({ ...options, schedulingStrategy: strategy }), false);
  };
  inGroup({ numCpus: 2 });
  inGroup({ numCpus: 1 }, 0);
  const { facts } = refused(() => inGroup({ numCpus: 4 }));
  assert.match(
    facts["rule"] as string,
    /bundle 0: needs CPU 4, bundle has 1 in total, 1 free; bundle 1: needs CPU 4, bundle has 2 in total/,
  );
  assert.match(refused(() => inGroup({ numGpus: 1 }, 0)).facts["rule"] as string, /needs GPU 1, bundle has 0 in total/);
  // An actor needs a CPU to be placed, if it does not say otherwise.
  const gpuOnly = { schedulingStrategy: { placementGroup: { id: group.id, bundleSpecs: [{ GPU: 1 }] } }, numGpus: 1 };
  assert.match(refused(() => normalActorOptions(checkActorOptions(gpuOnly), false)).facts["rule"] as string, /needs CPU 1/);
  normalActorOptions(checkActorOptions({ ...gpuOnly, numCpus: 0 }), false);
});
