import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BlockTable } from "./block-table.ts";

function newTable(blocks: number): BlockTable {
  return new BlockTable(new Int32Array(blocks), new Int32Array(1));
}

test("block table: freed low blocks are used again before fresh ones", () => {
  const table = newTable(100);
  const low = table.take(10, 1);
  table.take(10, 1);

  table.free(low!, 10);

  assert.equal(table.take(10, 2), low);
});

test("block table: a run that is free in total but not in one piece is not given", () => {
  const table = newTable(30);
  const [first, , third] = [table.take(10, 1), table.take(10, 1), table.take(10, 1)];
  table.free(first!, 10);
  table.free(third!, 10);

  assert.equal(table.take(11, 2), undefined);
  assert.equal(table.take(10, 2), 0);
  assert.equal(table.take(10, 2), 20);
});

test("block table: what was sealed survives the sweep of the process that wrote it", () => {
  const table = newTable(30);
  const sealed = table.take(5, 7)!;
  table.take(5, 7);
  table.seal(sealed, 5, 1);

  assert.equal(table.sweep(7), 5);
  assert.deepEqual(table.holder(sealed), { slot: 1, isSealed: true });
  assert.equal(table.take(25, 2), 5);
});

test("block table: a block that somebody takes during the claim is not lost and the claim looks further", () => {
  const words = new Int32Array(20);
  // Word 7 is seen free, and taken when the search is at block 9, just before the claim of 0 to 9.
  const table = new BlockTable(
    interrupted(words, 9, () => Atomics.store(words, 7, 9)),
    new Int32Array(1),
  );

  assert.equal(table.take(10, 2), 8, "a run behind the block that was lost");
  assert.equal(words[7], 9);
  assert.deepEqual([...words.subarray(0, 7)], Array(7).fill(0), "the claim was rolled back");
});

/** Words that run `interrupt` when the search comes to `block`: it looks at the length before each word. */
function interrupted(words: Int32Array, block: number, interrupt: () => void): Int32Array {
  let reads = 0;
  const readsBeforeSearch = 2;
  Object.defineProperty(words, "length", {
    get: () => {
      if (++reads === readsBeforeSearch + block + 1) interrupt();
      return 20;
    },
  });
  return words;
}

test("block table: several processes allocate, seal, free and crash; runs never overlap and nothing leaks", () => {
  const command = fc.record({
    slot: fc.integer({ min: 2, max: 5 }),
    action: fc.constantFrom("take", "take", "take", "seal", "free", "crash"),
    pick: fc.nat(),
    count: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const words = new Int32Array(64);
      const hint = new Int32Array(1);
      // Each process has a table object of its own over the same words.
      const tables = new Map([1, 2, 3, 4, 5].map((slot) => [slot, new BlockTable(words, hint)]));
      let runs: { slot: number; first: number; count: number; sealed: boolean }[] = [];
      for (const { slot, action, pick, count } of commands) {
        const table = tables.get(slot)!;
        const mine = runs.filter((run) => run.slot === slot && !run.sealed);
        const chosen = mine[pick % Math.max(1, mine.length)];
        if (action === "take") {
          const first = table.take(count, slot);
          if (first !== undefined) {
            for (const run of runs) assert.ok(first + count <= run.first || run.first + run.count <= first, "no overlap");
            runs.push({ slot, first, count, sealed: false });
          } else {
            assert.ok(longestFree(words) < count, "refused only when there is no such run");
          }
        } else if (action === "seal" && chosen !== undefined) {
          assert.ok(table.isHeldBy(slot, chosen.first, chosen.count));
          tables.get(1)!.seal(chosen.first, chosen.count, 1);
          chosen.sealed = true;
        } else if (action === "free") {
          const run = runs[pick % Math.max(1, runs.length)];
          if (run !== undefined) table.free(run.first, run.count);
          runs = runs.filter((other) => other !== run);
        } else if (action === "crash") {
          const lost = mine.reduce((sum, run) => sum + run.count, 0);
          assert.equal(table.sweep(slot), lost);
          runs = runs.filter((run) => run.sealed || run.slot !== slot);
        }
        const used = runs.reduce((sum, run) => sum + run.count, 0);
        assert.equal(
          table.usage().reduce((sum, one) => sum + one, 0),
          used,
        );
      }
    }),
    { numRuns: 300, seed: 7 },
  );
});

function longestFree(words: Int32Array): number {
  let longest = 0;
  let run = 0;
  for (const word of words) {
    run = word === 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
