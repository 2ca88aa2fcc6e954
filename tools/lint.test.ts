/** The lint configuration catches what it is there for. Each case is a small file in a copy of the folder layout. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const core = "packages/core/src";

/** File -> source, and the rule that must speak (or `undefined`: none may). */
const cases: readonly (readonly [file: string, source: string, rule: string | undefined])[] = [
  [`${core}/control/a.ts`, 'import { x } from "../node/x.ts";\nexport const y = x;', "no-restricted-imports"],
  [`${core}/control/type.ts`, 'import type { X } from "../worker/x.ts";\nexport const y: X = 1;', "no-restricted-imports"],
  [`${core}/control/later.ts`, 'export const y = () => import("../node/x.ts");', "no-restricted-imports"],
  [`${core}/node/a.ts`, 'export { x } from "../control/x.ts";', "no-restricted-imports"],
  [`${core}/node/deep/a.ts`, 'export { x } from "../../worker/x.ts";', "no-restricted-imports"],
  [`${core}/worker/a.ts`, 'export { x } from "../node/x.ts";', "no-restricted-imports"],
  [`${core}/worker/objects/a.ts`, 'import type { X } from "../calls/x.ts";\nexport const y: X = 1;', "no-restricted-imports"],
  [`${core}/worker/objects/b.ts`, 'export { x } from "../ownership/x.ts";', "no-restricted-imports"],
  [`${core}/worker/objects/deep.ts`, 'export { x } from "../../node/x.ts";', "no-restricted-imports"],
  [`${core}/worker/calls/a.ts`, 'export type { X } from "../execution/x.ts";', "no-restricted-imports"],
  [`${core}/worker/calls/deep.ts`, 'export { x } from "../../node/x.ts";', "no-restricted-imports"],
  [`${core}/worker/calls/good.ts`, 'export { x } from "../objects/x.ts";', undefined],
  [`${core}/worker/execution/good.ts`, 'export { x } from "../calls/x.ts";', undefined],
  [`${core}/base/a.ts`, 'export { x } from "../wire/x.ts";', "no-restricted-imports"],
  [`${core}/scheduling/a.ts`, 'export { x } from "../messages/x.ts";', "no-restricted-imports"],
  [`${core}/wire/gateway.ts`, 'export { x } from "../gateway/x.ts";', "no-restricted-imports"],
  [`${core}/node/gateway.ts`, 'export { x } from "../gateway/x.ts";', "no-restricted-imports"],
  [`${core}/gateway/a.ts`, 'export { x } from "../node/x.ts";', "no-restricted-imports"],
  [`${core}/gateway/good.ts`, 'export { x } from "../wire/x.ts";', undefined],
  [`${core}/gateway/timer.ts`, "export const y = () => setTimeout(() => {}, 1);", "no-restricted-globals"],
  [`${core}/wire/a.ts`, 'export { x } from "raia";', "no-restricted-imports"],
  [`${core}/api/value.ts`, 'export { x } from "../messages/x.ts";', "no-restricted-imports"],
  [`${core}/api/type.ts`, 'export type { X } from "../messages/x.ts";', undefined],
  [`${core}/node/good.ts`, 'export { x } from "../store/x.ts";', undefined],
  [`${core}/node/timer.ts`, "export const y = () => setTimeout(() => {}, 1);", "no-restricted-globals"],
  [`${core}/node/timers.ts`, 'export { setTimeout } from "node:timers/promises";', "no-restricted-imports"],
  [`${core}/store/now.ts`, "export const y = () => Date.now();", "no-restricted-properties"],
  [`${core}/scheduling/chance.ts`, "export const y = () => Math.random();", "no-restricted-properties"],
  [`${core}/base/clock.ts`, "export const y = () => Date.now() + performance.now();", undefined],
  [`${core}/bin/now.ts`, "export const y = () => Date.now();", undefined],
  ["packages/raia/src/deep.ts", 'export { x } from "../../core/src/base/x.ts";', "no-restricted-imports"],
  [`${core}/base/any.ts`, "export type Y = any;", "no-explicit-any"],
  [`${core}/base/floating.ts`, "const f = async () => {};\nexport const y = () => { f(); };", "no-floating-promises"],
  ["packages/cli/bin/floating.js", "const f = async () => {};\nf();", "no-floating-promises"],
  ["packages/cli/src/floating.mjs", "const f = async () => {};\nf();", "no-floating-promises"],
  ["packages/core/test/worlds/eval.cjs", 'const f = async () => {};\nf(require("node:fs"));', "no-floating-promises"],
  [`${core}/base/misused.ts`, "export const y = (f: () => Promise<boolean>) => { if (f()) return 1; return 2; };", "no-misused-promises"],
  [`${core}/base/thenable.ts`, "export const y = async (n: number) => { await n; };", "await-thenable"],
  [
    `${core}/base/switch.ts`,
    'export function y(k: "a" | "b") { switch (k) { case "a": return 1; } return 2; }',
    "switch-exhaustiveness-check",
  ],
  [`${core}/base/default.ts`, "export default 1;", "no-default-export"],
  [`${core}/base/cycle-a.ts`, 'import { b } from "./cycle-b.ts";\nexport const a = () => b;', "no-cycle"],
  [`${core}/base/cycle-b.ts`, 'import { a } from "./cycle-a.ts";\nexport const b = () => a;', "no-cycle"],
  [`${core}/base/cycle-c.ts`, 'import type { D } from "./cycle-d.ts";\nexport type C = D;', "no-cycle"],
  [`${core}/base/cycle-d.ts`, 'import type { C } from "./cycle-c.ts";\nexport interface D { readonly c: C }', "no-cycle"],
  [`${core}/base/a.test.ts`, 'import { test } from "node:test";\ntest("waits for nothing", () => {});', undefined],
];

let folder = "";
let findings: ReadonlyMap<string, readonly string[]> = new Map();

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "raia-lint-"));
  for (const name of [".oxlintrc.json", "tsconfig.base.json", "tsconfig.json"]) copyFileSync(join(root, name), join(folder, name));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(root, "node_modules/@types"), join(folder, "node_modules/@types"));
  const rooms = ["objects", "calls", "ownership", "execution"].map((room) => `worker/${room}`);
  for (const role of ["base", "wire", "gateway", "messages", "store", "control", "node", "worker", ...rooms]) {
    write(`${core}/${role}/x.ts`, "export const x = 1;\nexport type X = number;");
  }
  for (const [file, source] of cases) write(file, source);
  findings = await lint();
});

after(() => rmSync(folder, { recursive: true, force: true }));

for (const [file, source, rule] of cases) {
  test(`${rule ?? "nothing"} in ${file}: ${source.replaceAll("\n", " ")}`, () => {
    assert.deepEqual(findings.get(file) ?? [], rule === undefined ? [] : [rule]);
  });
}

test("every exception is for named files or for one line, and has its reason", () => {
  const lines = readFileSync(join(root, ".oxlintrc.json"), "utf8").split("\n");
  const { overrides } = JSON.parse(lines.filter((line) => !/^\s*\/\//.test(line)).join("\n")) as {
    overrides: readonly { readonly files: readonly string[]; readonly rules: Readonly<Record<string, unknown>> }[];
  };
  const blanket = overrides.filter(
    ({ files, rules }) => Object.values(rules).includes("off") && files.some((file) => file.startsWith("*")),
  );
  assert.deepEqual(blanket, []);

  const found = execFileSync("git", ["grep", "-nE", "(oxlint|eslint|biome)-(disable|ignore)"], { cwd: root, encoding: "utf8" });
  const careless = found
    .trim()
    .split("\n")
    .filter((line) => !/^(tools\/lint\.test\.ts:|\S+: *\/\/ oxlint-disable-next-line [\w/-]+ -- \S)/.test(line));
  assert.deepEqual(careless, []);
});

function write(file: string, source: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), `${source}\n`);
}

/** The names of the rules that spoke, for each file. */
async function lint(): Promise<ReadonlyMap<string, readonly string[]>> {
  const output = await new Promise<string>((resolve) => {
    // oxlint's exit status is that of findings, which are wanted here.
    execFile(join(root, "node_modules/.bin/oxlint"), ["--type-aware", "-f", "unix", "packages"], { cwd: folder }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  const found = new Map<string, string[]>();
  for (const [, file = "", rule = ""] of output.matchAll(/^(\S+?):\d+:\d+: .*\[\w+\/\w+\(([\w-]+)\)\]$/gm)) {
    found.set(file, [...new Set([...(found.get(file) ?? []), rule])]);
  }
  return found;
}
