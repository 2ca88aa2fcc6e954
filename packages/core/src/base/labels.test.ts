import assert from "node:assert/strict";
import { test } from "node:test";
import { firstUnmetRule, parseLabelSelector, parseLabels, showRule } from "./labels.ts";

const node = parseLabels({ region: "eu", "ray.io/accelerator-type": "A100", empty: "" });

function matches(selector: Record<string, string>): boolean {
  return firstUnmetRule(parseLabelSelector(selector), node) === undefined;
}

test("labels: every form of a selector, with the key there and not there", () => {
  assert.equal(matches({}), true);
  assert.equal(matches({ region: "eu" }), true);
  assert.equal(matches({ region: "us" }), false);
  assert.equal(matches({ zone: "a" }), false);
  assert.equal(matches({ region: "!us" }), true);
  assert.equal(matches({ region: "!eu" }), false);
  assert.equal(matches({ zone: "!a" }), true);
  assert.equal(matches({ region: "in(us, eu)" }), true);
  assert.equal(matches({ region: "in(us)" }), false);
  assert.equal(matches({ zone: "in(a,b)" }), false);
  assert.equal(matches({ region: "!in(us,asia)" }), true);
  assert.equal(matches({ region: "!in(us,eu)" }), false);
  assert.equal(matches({ zone: "!in(a)" }), true);
  assert.equal(matches({ region: "eu", "ray.io/accelerator-type": "!A100" }), false);
  assert.equal(matches({ empty: "" }), true);
  assert.equal(matches({ zone: "" }), false);
  assert.equal(matches({ constructor: "!x" }), true);
});

test("labels: the unmet rule can be shown", () => {
  const unmet = firstUnmetRule(parseLabelSelector({ region: "eu", zone: "!in(a,b)", "ray.io/accelerator-type": "in(H100,H200)" }), node);

  assert.equal(unmet && showRule(unmet), "ray.io/accelerator-type in(H100,H200)");
  assert.equal(showRule({ key: "zone", excludes: true, values: ["a"] }), "zone !a");
});

test("labels: what is not a label is refused", () => {
  const wrong: Record<string, unknown>[] = [
    { "": "x" },
    { "a b": "x" },
    { "/a": "x" },
    { "UP/a": "x" },
    { a: "in(" },
    { a: "in(x,(y))" },
    { a: "!!x" },
    { a: 1 },
    { a: "x".repeat(64) },
    { ["k".repeat(64)]: "x" },
    JSON.parse('{"__proto__":"x"}') as Record<string, unknown>,
  ];
  for (const selector of wrong)
    assert.throws(() => parseLabelSelector(selector as Record<string, string>), { code: "INVALID_OPTION" }, JSON.stringify(selector));
  assert.throws(() => parseLabels({ a: "!x" }), { code: "INVALID_OPTION" });
  assert.throws(() => parseLabels(null as never), { code: "INVALID_OPTION" });
});
