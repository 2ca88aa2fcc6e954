import assert from "node:assert/strict";
import { test } from "node:test";
import { Script } from "node:vm";
import { sourceOf } from "./function-source.ts";

const constant = (): number => 41;

test("function source: the whole script, as V8 compiled it", () => {
  const source = sourceOf(constant) ?? "";

  assert.ok(source.includes("const constant = ()         => 41;"), "types are blanks where Node stripped them");
  assert.ok(source.startsWith("import assert from"));
});

test("function source: what has no text, and what came from elsewhere", () => {
  assert.equal(sourceOf(Math.max), undefined);
  assert.equal(sourceOf(constant.bind(undefined)), undefined);
  assert.equal(sourceOf(new Script("/* before */ (function () {})").runInNewContext() as Function), "/* before */ (function () {})");
});

test("function source: the syntax of V8 is refused again afterwards", () => {
  sourceOf(constant);

  assert.throws(() => new Script("%GetUndetectable()"), SyntaxError);
});
