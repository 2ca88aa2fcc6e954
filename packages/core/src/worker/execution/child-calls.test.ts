import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cancellation } from "../cancellation.ts";
import { ChildCalls, EndedParents } from "./child-calls.ts";

const plain: Cancellation = { force: false, recursive: true };

function newChild(): { readonly cancelledWith: Cancellation[]; cancel(cancellation: Cancellation): void } {
  const cancelledWith: Cancellation[] = [];
  return { cancelledWith, cancel: (cancellation) => void cancelledWith.push(cancellation) };
}

test("children: those under way are cancelled, those that ended are not", () => {
  const children = new ChildCalls();
  const [open, ended] = [newChild(), newChild()];
  children.add(open);
  children.add(ended)();

  children.cancel(plain);

  assert.deepEqual([open.cancelledWith, ended.cancelledWith], [[plain], []]);
});

test("children: one that is made after its parent was cancelled is cancelled, too, once it is under way", async () => {
  const children = new ChildCalls();
  children.cancel(plain);
  const late = newChild();
  children.add(late);
  assert.deepEqual(late.cancelledWith, []);

  await Promise.resolve();

  assert.deepEqual(late.cancelledWith, [plain]);
});

test("children: of a parent that has ended they are found by its number, until the last has ended", () => {
  const parents = new EndedParents();
  const children = new ChildCalls();
  const child = newChild();
  const ended = children.add(child);
  parents.add(7, children);

  parents.cancel(8, plain);
  parents.cancel(7, plain);
  assert.deepEqual(child.cancelledWith, [plain]);

  ended();
  parents.cancel(7, plain);
  assert.deepEqual(child.cancelledWith, [plain]);
});
