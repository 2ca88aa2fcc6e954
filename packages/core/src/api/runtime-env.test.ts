import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { checkTaskOptions } from "./options.ts";
import { mergeRuntimeEnv, wireRuntimeEnv } from "./runtime-env.ts";

const directory = mkdtempSync(join(tmpdir(), "raia-env-"));
after(() => rmSync(directory, { recursive: true }));

test("a child's variables lie over its parent's", () => {
  const merged = mergeRuntimeEnv({ envVars: { A: "1", B: "1" }, setupHook: "./a.ts#go" }, { envVars: { B: "2", C: "2" } }, {});
  assert.deepEqual(merged, { envVars: { A: "1", B: "2", C: "2" }, setupHook: "./a.ts#go" });
  assert.deepEqual(mergeRuntimeEnv({}, {}, {}), {});
});

test("a reference is what the parent has: its own environment before what it inherited, nothing when it has none", () => {
  const child = { envVars: { PATH: "/opt:${PATH}", B: "${A}${A}", C: "<${NONE}>", D: "$A ${} ${1}", E: "${B}", F: "${toString}" } };
  const merged = mergeRuntimeEnv({ envVars: { A: "parent" } }, child, { PATH: "/bin", A: "inherited" });
  assert.deepEqual(merged.envVars, {
    A: "parent",
    PATH: "/opt:/bin",
    B: "parentparent",
    C: "<>",
    D: "$A ${} ${1}",
    E: "",
    F: "",
  });
});

test("a directory is absolute from where the work was submitted", () => {
  assert.equal(mergeRuntimeEnv({}, { workingDir: "src" }, {}).workingDir, resolve("src"));
  assert.equal(mergeRuntimeEnv({ workingDir: "/parent" }, {}, {}).workingDir, "/parent");
});

test("equal environments have equal hashes, whatever the order; none has none", () => {
  assert.equal(wireRuntimeEnv({}).hash, "");
  assert.equal(wireRuntimeEnv({ envVars: {} }).hash, "");
  const one = wireRuntimeEnv({ envVars: { A: "1", B: "2" } }).hash;
  assert.match(one, /^[0-9a-f]{32}$/);
  assert.equal(wireRuntimeEnv({ envVars: { B: "2", A: "1" } }).hash, one);
  for (const other of [{ envVars: { A: "1" } }, { envVars: { A: "1", B: "2" }, setupHook: "./x.ts" }, { envVars: { A: "2", B: "1" } }]) {
    assert.notEqual(wireRuntimeEnv(other).hash, one);
  }
});

test("a change of a file is another environment; a new time alone is not", () => {
  const root = join(directory, "project");
  mkdirSync(join(root, "part", "node_modules"), { recursive: true });
  writeFileSync(join(root, "part", "a.ts"), "one");
  symlinkSync("a.ts", join(root, "part", "link.ts"));
  const hash = (): string => wireRuntimeEnv({ workingDir: root }).hash;
  const first = hash();
  assert.equal(hash(), first);
  utimesSync(join(root, "part", "a.ts"), 1, 1);
  assert.equal(hash(), first);
  writeFileSync(join(root, "part", "node_modules", "b.js"), "not looked at");
  assert.equal(hash(), first);
  writeFileSync(join(root, "part", "a.ts"), "two");
  const second = hash();
  assert.notEqual(second, first);
  writeFileSync(join(root, "part", "c.ts"), "");
  assert.notEqual(hash(), second);
});

test("a directory that cannot be read is an error before anything is submitted", () => {
  const missing = join(directory, "missing");
  assert.throws(
    () => wireRuntimeEnv({ workingDir: missing }),
    (error) => RaiaError.is(error, "RUNTIME_ENV_FAILED") && error.facts["workingDir"] === missing,
  );
  const file = join(directory, "file");
  writeFileSync(file, "");
  assert.throws(() => wireRuntimeEnv({ workingDir: file }), { code: "RUNTIME_ENV_FAILED" });
});

test("variables that no process can have are refused, and their values are not shown", () => {
  for (const envVars of [
    { "A=B": "1" },
    { "": "1" },
    { A: 1 },
    { A: "hunter2\0" },
    { A: "hunter2".repeat(100_000) },
    { RAIA_SESSION: "x" },
    ["A"],
  ]) {
    assert.throws(
      () => checkTaskOptions({ runtimeEnv: { envVars } }),
      (error) =>
        RaiaError.is(error, "INVALID_OPTION") && error.message.includes("option=runtimeEnv.envVars") && !error.message.includes("hunter2"),
    );
  }
  assert.throws(() => checkTaskOptions({ runtimeEnv: { pip: ["numpy"] } }), { code: "INVALID_OPTION" });
  for (const [setupHook, rule] of [
    [() => {}, "must be text, "],
    ["", "must not be empty"],
    ["./a.ts\0#go", "must not contain the character 0"],
    ["#go", 'must be "module#export", or a module alone'],
    ["./a.ts#", 'must be "module#export", or a module alone'],
  ] as const)
    assert.throws(
      () => checkTaskOptions({ runtimeEnv: { setupHook: setupHook as string } }),
      (error) => RaiaError.is(error, "INVALID_OPTION") && error.message.includes(`runtimeEnv.setupHook ${rule}`),
    );
});

test("expanding may not make a variable longer than a process can have", () => {
  const long = "x".repeat(100_000);
  assert.throws(() => mergeRuntimeEnv({ envVars: { A: long } }, { envVars: { B: "${A}${A}" } }, {}), { code: "INVALID_OPTION" });
});
