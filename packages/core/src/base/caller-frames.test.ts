import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutOwnFrames } from "./caller-frames.ts";

const own = `    at call (${new URL("../worker/execution/executor.ts", import.meta.url).href}:1:1)`;
const user = "    at work (file:///home/me/work.ts:3:7)";
const below = "    at AsyncResource.runInAsyncScope (node:async_hooks:227:14)";

test("frames: the user's stay, with what they called of Node; the library's go, and what is below", () => {
  const parse = "    at JSON.parse (<anonymous>)";
  assert.equal(withoutOwnFrames(["SyntaxError: no", parse, user, own, below].join("\n")), ["SyntaxError: no", parse, user].join("\n"));
  assert.equal(withoutOwnFrames(["Error: x", user, own, user, below].join("\n")), ["Error: x", user, user].join("\n"));
});

test("frames: text that is no frame stays where it is", () => {
  const stack = ["Error: x", "  in two lines", user, own, "    --- remote task work", below].join("\n");
  assert.equal(withoutOwnFrames(stack), ["Error: x", "  in two lines", user, "    --- remote task work"].join("\n"));
});

test("frames: where the library itself has failed, all stay", () => {
  const stack = ["AssertionError: x", own, below].join("\n");
  assert.equal(withoutOwnFrames(stack), stack);
});
