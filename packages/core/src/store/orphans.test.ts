import assert from "node:assert/strict";
import { test } from "node:test";
import { objectIdOf } from "../base/ids.ts";
import { Orphans } from "./orphans.ts";

const DEAD = "d".repeat(40);
const [first, second, third] = [1, 2, 3].map((sequence) => objectIdOf(DEAD, sequence)) as [string, string, string];
const alone = (id: string) => ({ id, nested: [] });

function newOrphans() {
  const freed: string[] = [];
  const orphans: Orphans = new Orphans((ids) => {
    freed.push(...ids);
    for (const id of ids) orphans.removed(id);
  });
  const asked = Promise.withResolvers<void>();
  return { orphans, freed, asked };
}

test("orphans: everything stays until all have been asked, and what somebody keeps stays after", async () => {
  const { orphans, freed, asked } = newOrphans();
  const dying = orphans.ownerDied(DEAD, [alone(first), alone(second)], asked.promise);
  orphans.keep(7, [first]);
  orphans.drop(7, [first]);
  assert.deepEqual(freed, [], "another may still be about to keep it");
  orphans.keep(8, [first]);
  asked.resolve();
  await dying;
  assert.deepEqual(freed, [second]);
  assert.equal(orphans.isUnwanted(first), false);
  assert.equal(orphans.isUnwanted(second), true);
  orphans.drop(8, [first]);
  assert.deepEqual(freed, [second, first]);
});

test("orphans: whoever learns of the death before the node does keeps what it asked for", async () => {
  const { orphans, freed } = newOrphans();
  orphans.keep(7, [first]);
  await orphans.ownerDied(DEAD, [alone(first)], Promise.resolve());
  assert.deepEqual(freed, []);
  orphans.keeperDied(7);
  assert.deepEqual(freed, [first]);
});

test("orphans: a keeper may ask twice, and two may keep the same", async () => {
  const { orphans, freed } = newOrphans();
  await orphans.ownerDied(
    DEAD,
    [alone(first)],
    Promise.resolve().then(() => [7, 7, 8].forEach((slot) => orphans.keep(slot, [first]))),
  );
  orphans.drop(7, [first]);
  assert.deepEqual(freed, []);
  orphans.drop(8, [first]);
  orphans.drop(8, [first]);
  assert.deepEqual(freed, [first]);
});

test("orphans: what a kept value refers to stays with it, however deep, and goes with it", async () => {
  const { orphans, freed } = newOrphans();
  const left = [{ id: first, nested: [second] }, { id: second, nested: [third] }, alone(third)];
  orphans.keep(7, [first]);
  await orphans.ownerDied(DEAD, left, Promise.resolve());
  assert.deepEqual(freed, []);
  orphans.keep(8, [third]);
  orphans.drop(7, [first]);
  assert.deepEqual(freed, [first, second]);
  orphans.drop(8, [third]);
  assert.deepEqual(freed, [first, second, third]);
});

test("orphans: what an owner had not finished, and what comes later, is unwanted", async () => {
  const { orphans } = newOrphans();
  assert.equal(orphans.isUnwanted(first), false);
  await orphans.ownerDied(DEAD, [], Promise.resolve());
  assert.equal(orphans.isUnwanted(first), true);
});
