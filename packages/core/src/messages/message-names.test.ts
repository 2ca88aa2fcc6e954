import assert from "node:assert/strict";
import { test } from "node:test";
import { messageTags } from "./message-names.ts";

test("messages: no two share a tag", () => {
  const names = new Map<number, string>();
  for (const [tag, name] of messageTags) {
    assert.equal(names.get(tag) ?? name, name, `tag ${tag} is taken`);
    names.set(tag, name);
  }
});
