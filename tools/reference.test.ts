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
import { queueRules } from "../packages/core/src/api/queue.ts";
import { runtimeEnvRules } from "../packages/core/src/api/runtime-env.ts";
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
