import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeArena } from "./fake-arena.ts";
import { WordRegion } from "./word-region.ts";

test("word region: pieces are separate cache lines, return, and run out", () => {
  const arena = FakeArena.create(1 << 20, 1);
  const region = new WordRegion(arena.blocksOffset);
  const one = region.claim(3)!;
  const two = region.claim(17)!;

  assert.equal(two - one, 64);
  arena.words(one, 3)[2] = 5;
  assert.equal(arena.attach(2).words(one, 3)[2], 5);
  assert.equal(region.claim(1 << 20), undefined, "4 MiB are a million words, and some are lent");
  region.release(one, 3);
  region.release(two, 17);
  assert.equal(region.lentBytes, 0);
  assert.equal(region.claim(1 << 20), one);
  assert.equal(region.claim(1), undefined);
});

test("word region: giving back what is not lent is a bug", () => {
  const region = new WordRegion(1 << 23);
  const offset = region.claim(16)!;
  region.release(offset, 16);
  assert.throws(() => region.release(offset, 16), /these words are lent/);
});
