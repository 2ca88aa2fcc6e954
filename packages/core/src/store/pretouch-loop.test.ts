import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../base/fake-clock.ts";
import { BlockTable } from "./block-table.ts";
import { PretouchLoop, runToGiveBack, runToTouch } from "./pretouch-loop.ts";
import { settle } from "./store-fixture.ts";

const GiB = 1024 ** 3;

function start(blockCount: number, availableBytes = 8 * GiB) {
  const clock = new FakeClock();
  const blocks = new BlockTable(new Int32Array(blockCount), new Int32Array(1));
  const log: string[] = [];
  const memory = {
    slot: 1,
    blocks,
    populate: async (first: number, count: number) => log.push(`touch ${first}+${count}`) > 0,
    giveBack: async (first: number, count: number) => {
      assert.deepEqual(blocks.holder(first), { slot: 1, isSealed: false }, "taken while it vanishes");
      return log.push(`give back ${first}+${count}`) > 0;
    },
  };
  const loop = new PretouchLoop({ memory, clock, availableBytes: () => availableBytes });
  const run = async (ms: number): Promise<string[]> => {
    for (let turn = 0; turn < 60; turn++) {
      clock.advance(turn === 0 ? ms : 0);
      await settle();
    }
    return log.splice(0);
  };
  return { loop, blocks, run };
}

test("pretouch: as much ahead as is used, in steps, and nothing before something is stored", async () => {
  const { loop, blocks, run } = start(10_000);
  assert.deepEqual(await run(100_000), []);

  blocks.take(600, 2);
  loop.noteUse();

  assert.deepEqual(await run(20), ["touch 600+256", "touch 856+256", "touch 1112+88"]);
});

test("pretouch: never more than 256 MiB ahead, and nothing when memory is short", async () => {
  const { loop, blocks, run } = start(20_000);
  blocks.take(9000, 2);
  loop.noteUse();
  const touched = (await run(20)).length * 256;
  assert.equal(touched, 4096);

  const short = start(10_000, GiB / 2);
  short.blocks.take(600, 2);
  short.loop.noteUse();
  assert.deepEqual(await short.run(20), []);
});

test("pretouch: whoever stores all the time does not put it off, and is looked at less often while nothing is missing", async () => {
  const { loop, blocks, run } = start(10_000);
  blocks.take(100, 2);
  loop.noteUse();
  await run(15);
  loop.noteUse();
  assert.deepEqual(await run(5), ["touch 100+100"]);

  blocks.take(150, 2);
  loop.noteUse();
  assert.deepEqual(await run(20), []);
  loop.noteUse();
  assert.deepEqual(await run(230), ["touch 250+250"]);
});

test("pretouch: after half a minute without use, what is free goes back, and what is used stays", async () => {
  const { loop, blocks, run } = start(1000);
  blocks.take(100, 2);
  loop.noteUse();
  await run(20);

  assert.deepEqual(await run(30_000), ["give back 100+100"]);
  assert.equal(loop.touchedBlocks, 100);
  blocks.free(0, 100);
  assert.deepEqual(await run(30_000), ["give back 0+100"]);
  assert.equal(blocks.usage().indexOf(1), -1);
  assert.deepEqual(await run(300_000), []);
});

test("pretouch: the runs", () => {
  const used = Uint8Array.of(1, 0, 1, 0, 0, 0);
  assert.deepEqual(runToTouch(used, Uint8Array.of(1, 0, 1, 0, 0, 0)), { first: 1, count: 1 });
  assert.equal(runToTouch(used, Uint8Array.of(1, 1, 1, 1, 0, 0)), undefined);
  assert.deepEqual(runToGiveBack(used, Uint8Array.of(1, 0, 1, 1, 1, 0)), { first: 3, count: 2 });
  assert.equal(runToGiveBack(used, Uint8Array.of(1, 0, 1, 0, 0, 0)), undefined);
});
