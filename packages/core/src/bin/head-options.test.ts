import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_STORE_BYTES, MIN_STORE_BYTES } from "../api/limits.ts";
import { layoutFor } from "../store/arena.ts";
import { headOptionsFrom } from "./head-options.ts";

test("head options: what an option allows is what an arena can be made with", () => {
  for (const bytes of [MIN_STORE_BYTES, MAX_STORE_BYTES]) assert.ok(layoutFor(bytes).totalBytes > bytes);
  for (const bytes of [MIN_STORE_BYTES - 1, MAX_STORE_BYTES + 65_536]) assert.throws(() => layoutFor(bytes), { code: "INVALID_OPTION" });
});

test("head options: what is no record of options is told as such", () => {
  assert.throws(() => headOptionsFrom({}), { code: "CLUSTER_START_FAILED", message: /is not set/ });
  assert.throws(() => headOptionsFrom({ RAIA_HEAD_OPTIONS: "{" }), { code: "CLUSTER_START_FAILED", message: /RAIA_HEAD_OPTIONS/ });
});
