/**
 * The reference (docs/api.md) names what there is and nothing else: exports, members, options, environment variables, each in
 * the section of its kind. And the figures that other pages state are those of the code.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { callRules } from "../packages/core/src/api/call-options.ts";
import { variableRules } from "../packages/core/src/api/environment.ts";
import { optionNames } from "../packages/core/src/api/options.ts";
import { placementGroupRules } from "../packages/core/src/api/placement-group-options.ts";
import { queueRules } from "../packages/core/src/api/queue.ts";
import { runtimeEnvRules } from "../packages/core/src/api/runtime-env.ts";
import { actorDeathKinds } from "../packages/core/src/messages/control.ts";
import { waitOptionNames } from "../packages/core/src/worker/objects/wait-options.ts";
import * as raia from "../packages/raia/src/index.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = readFileSync(join(root, "docs/api.md"), "utf8");

type AnyClass = { readonly prototype: object };
const exported = Object.entries(raia as Readonly<Record<string, unknown>>);
const classes = exported.filter((entry): entry is [string, AnyClass] => isClass(entry[1]));

function isClass(value: unknown): value is AnyClass {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

const sections: { readonly [heading: string]: readonly string[] } = {
  "Functions and values": exported.filter(([, value]) => !isClass(value)).map(([name]) => name),
  Classes: [
    "RaiaError.is",
    ...classes.flatMap(([name, { prototype }]) => [name, ...membersOf(prototype).map((member) => `${name}.${member}`)]),
  ],
  "Options of init()": optionNames.init,
  "Options of tasks": optionNames.task,
  "Options of actors": optionNames.actor,
  "Options of methods": optionNames.method,
  "Options of map()": optionNames.map.filter((name) => !optionNames.task.includes(name)),
  "Options of other calls": [
    ...prefixed("get", waitOptionNames.get),
    ...prefixed("wait", waitOptionNames.wait),
    ...prefixed("cancel", Object.keys(callRules.cancel)),
    ...prefixed("kill", Object.keys(callRules.kill)),
    ...prefixed("getActor", Object.keys(callRules.getActor)),
    ...prefixed("list", Object.keys(callRules.list)),
    ...prefixed("placementGroup", Object.keys(placementGroupRules)),
    ...prefixed("PlacementGroup.wait", Object.keys(callRules.placementGroupWait)),
    ...prefixed("Queue", Object.keys(queueRules)),
    ...prefixed("Queue.put", Object.keys(callRules.queueWait)),
    ...prefixed("runtimeEnv", Object.keys(runtimeEnvRules)),
  ],
  "Environment variables": Object.keys(variableRules),
  Types: exportedTypes(),
};

for (const [heading, names] of Object.entries(sections)) {
  test(`the reference has all and only: ${heading}`, () => assert.deepEqual(namesUnder(heading), [...names].sort()));
}

test("the reference has no section that nobody checks", () => {
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading as string);
  assert.deepEqual(headings.sort(), Object.keys(sections).sort());
});

test("every row of the reference says something in each of its columns", () => {
  const empty = page.split("\n").filter((line) => line.startsWith("|") && /\|\s*\|/.test(line.slice(0, -1)));
  assert.deepEqual(empty, []);
});

/** What a page states, and the line of code that makes it so. Who changes one is sent to the other. */
const figures: readonly (readonly [page: string, says: string, file: string, holds: string])[] = [
  ["docs/errors-and-failure.md", "| 5 s | a request that no node could ever serve", "node/lease-queue.ts", "INFEASIBLE_AFTER_MS = 5000;"],
  [
    "docs/errors-and-failure.md",
    "| 5 s | a request that no node could ever serve",
    "control/control-server.ts",
    "DEFAULT_INFEASIBLE_TIMEOUT_MS = 5_000;",
  ],
  ["docs/errors-and-failure.md", "| 10 s | a machine that has refused every start", "node/start-failures.ts", "SHORT_FOR_MS = 10_000;"],
  [
    "docs/errors-and-failure.md",
    "| 10 s | a program that lives, and has lost its connection",
    "control/job-server.ts",
    "DRIVER_GRACE_MS = 10_000;",
  ],
  ["docs/errors-and-failure.md", "| 10 s | a connection of whoever has not said", "wire/endpoint.ts", "GREETING_MS = 10_000;"],
  ["docs/errors-and-failure.md", "| 2 s, then 10 s |", "worker/calls/worker-deaths.ts", "DEATH_WORD_MS = 2000;"],
  ["docs/errors-and-failure.md", "| 2 s, then 10 s |", "worker/calls/worker-deaths.ts", "KILL_WORD_MS = 10_000;"],
  ["docs/errors-and-failure.md", "| 30 s | an actor's", "node/hosted-actors.ts", "EXIT_GRACE_MS = 30_000;"],
  ["docs/errors-and-failure.md", "| 5 s | a worker that was lent", "worker/calls/worker-silence.ts", "WORKER_SILENCE_MS = 5_000;"],
  ["docs/errors-and-failure.md", "| 5 s | nor are those", "control/actor-disposal.ts", "JOB_DISPOSAL_MS = 5_000;"],
  ["docs/errors-and-failure.md", "| 30 s | a head that has not answered", "bin/head-process.ts", "START_TIMEOUT_MS = 30_000;"],
  ["docs/errors-and-failure.md", "go to others after 0.3 s", "node/lease-server.ts", "OWNER_ANSWER_MS = 300;"],
  ["docs/errors-and-failure.md", "names it after a second", "worker/state/explanation.ts", "OWNER_ANSWER_MS = 1_000;"],
  ["docs/errors-and-failure.md", "SIGKILL a second later", "worker/calls/call-limits.ts", "CANCEL_GRACE_MS = 1000;"],
  ["docs/output.md", "| 10,000, then 1,000 |", "node/output-limiter.ts", "BURST_LINES = 10_000;"],
  ["docs/output.md", "| 10,000, then 1,000 |", "node/output-limiter.ts", "LINES_PER_SECOND = 1_000;"],
  ["docs/output.md", "| 2 MiB, then 1 MiB |", "node/output-limiter.ts", "BURST_BYTES = 2 << 20;"],
  ["docs/output.md", "| 2 MiB, then 1 MiB |", "node/output-limiter.ts", "BYTES_PER_SECOND = 1 << 20;"],
  ["docs/output.md", "| 8 KiB; the rest is cut", "node/output-splitter.ts", "MAX_LINE_BYTES = 8 * 1024;"],
  ["docs/output.md", "| 50 ms, so that lines travel", "node/output-hub.ts", "BATCH_MS = 50;"],
  ["docs/output.md", "or after a second, or at", "node/output-hub.ts", "MARK_AFTER_MS = 1_000;"],
  ["docs/output.md", "within five seconds is folded", "node/output-folder.ts", "WINDOW_MS = 5_000;"],
  ["docs/output.md", "| one file | 16 MiB;", "node/output-log-directory.ts", "FILE_BYTES = 16 << 20;"],
  ["docs/output.md", "| a session | 1 GiB, and the files of 1,000", "node/output-log-directory.ts", "TOTAL_BYTES = 1 << 30;"],
  ["docs/output.md", "| a session | 1 GiB, and the files of 1,000", "node/output-log-directory.ts", "FILE_COUNT = 1_000;"],
  ["docs/output.md", "| all sessions of a user | 20, and 1 GiB", "base/session-logs.ts", "LOG_KEEP_COUNT = 20;"],
  ["docs/output.md", "| all sessions of a user | 20, and 1 GiB", "base/session-logs.ts", "LOG_KEEP_BYTES = 1 << 30;"],
  ["docs/output.md", "| 4 MiB of one stream", "node/output-rotating-log.ts", "MAX_QUEUE_BYTES = 4 << 20;"],
  ["docs/placement-groups.md", "1 to 1,000 bundles", "api/limits.ts", "MAX_BUNDLES = 1_000;"],
  ["docs/api.md", "| 4 | milliseconds of work that short items", "api/map.ts", "DEFAULT_BATCH_MS = 4;"],
  ["docs/api.md", "| 1,024; 1 with `timeoutMs`", "api/map.ts", "DEFAULT_MAX_BATCH = 1024;"],
  ["docs/api.md", ": 4 to 1,024 |", "api/map.ts", "MOST_DEFAULT_CONCURRENCY = 1024;"],
  ["docs/api.md", "| `maxRetries` | 3 |", "api/options.ts", "DEFAULT_MAX_RETRIES = 3;"],
  ["docs/api.md", "| `generatorBackpressure` | 1,000 |", "worker/execution/executor.ts", "DEFAULT_BACKPRESSURE_ITEMS = 1000;"],
  ["docs/api.md", "1,000 with an async method", "api/options.ts", "DEFAULT_ASYNC_CONCURRENCY = 1000;"],
  ["docs/api.md", "| `list.limit` | 1,000 |", "worker/state/cluster-state.ts", "DEFAULT_LIMIT = 1_000;"],
  ["docs/api.md", "1 MiB to 16 TiB", "api/limits.ts", "MIN_STORE_BYTES = 1_048_576;"],
  ["docs/api.md", "1 MiB to 16 TiB", "api/limits.ts", "MAX_STORE_BYTES = 17_592_186_044_416;"],
];

test("the page on failure says every way in which an actor can be dead", () => {
  const failures = readFileSync(join(root, "docs/errors-and-failure.md"), "utf8");
  const rows = failures.split("\n").filter((line) => line.startsWith("| `"));
  assert.deepEqual(
    [...actorDeathKinds, "name-taken", "not-created"].filter((kind) => !rows.some((row) => row.split("|")[1]?.includes(`\`${kind}\``))),
    [],
  );
});

test("the figures that pages state are those of the code", () => {
  const lost = figures.filter(([stating, says, file, holds]) => {
    const code = readFileSync(join(root, "packages/core/src", file), "utf8");
    return !readFileSync(join(root, stating), "utf8").includes(says) || !code.includes(`const ${holds}`);
  });
  assert.deepEqual(lost, []);
});

test("the README's figures of speed are those of the table on the page on speed", () => {
  const read = (file: string): string => readFileSync(join(root, file), "utf8");
  const [, section = ""] = read("README.md").split("\n## How fast\n");
  const table = read("bench/README.md");
  const rows = [...section.split("\n## ")[0]!.matchAll(/^\| [^|]+ \| ([\d,.]+) \| ([\d,.]+) \|$/gm)];
  assert.ok(rows.length >= 6);
  for (const [, raia = "", ray = ""] of rows) {
    const beside = table.split("\n").filter((line) => line.includes(`| ${raia} ±`) && line.includes(`| ${ray} ±`));
    assert.equal(beside.length, 1, `${raia} beside ${ray}`);
  }
});

function namesUnder(heading: string): string[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return [...own.matchAll(/^\| `([\w.]+)[^`]*` \|/gm)].map(([, name]) => name as string).sort();
}

function membersOf(prototype: object): string[] {
  const ofEveryObject = ["constructor", "toString", "toJSON"];
  return Object.getOwnPropertyNames(prototype).filter((name) => !ofEveryObject.includes(name));
}

function prefixed(prefix: string, names: readonly string[]): string[] {
  return names.map((name) => `${prefix}.${name}`);
}

/** Types leave no trace in a running program: they are read from the list of exports. */
function exportedTypes(): string[] {
  const door = readFileSync(join(root, "packages/core/src/index.ts"), "utf8");
  return [...door.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, isType, list = ""]) =>
    list
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && (isType !== undefined || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "")),
  );
}
