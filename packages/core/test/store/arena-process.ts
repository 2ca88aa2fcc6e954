/** A process of the tests: maps the arena and does what it is told over IPC. */
import { BLOCK_BYTES } from "../../src/store/block-table.ts";
import { SharedArena } from "../../src/store/shared-arena.ts";

export type Order =
  | { readonly kind: "write"; readonly bytes: number; readonly fill: number }
  | { readonly kind: "peek"; readonly offset: number }
  | { readonly kind: "churn"; readonly rounds: number }
  | { readonly kind: "add"; readonly offset: number; readonly times: number };

const [path = "", slot = "0"] = process.argv.slice(2);
const arena = SharedArena.open({ path, slot: Number(slot) });

process.on("message", (order: Order) => process.send?.(obey(order)));
// Without a parent there is nobody to work for.
process.on("disconnect", () => process.exit(0));
process.send?.("ready");

function obey(order: Order): number {
  switch (order.kind) {
    case "write": {
      const offset = arena.allocate(order.bytes) ?? -1;
      if (offset >= 0) arena.writable(offset, order.bytes).fill(order.fill);
      return offset;
    }
    case "peek":
      return new Uint8Array(arena.readable(order.offset, 1))[0] ?? -1;
    case "churn":
      return churn(order.rounds);
    case "add": {
      const words = arena.words(order.offset, 1);
      for (let time = 0; time < order.times; time++) Atomics.add(words, 0, 1);
      return 0;
    }
  }
}

/** Takes and frees runs, marks each block as its own, and counts the blocks in which somebody else's mark appears. */
function churn(rounds: number): number {
  const mine: { offset: number; blocks: number }[] = [];
  let strangers = 0;
  for (let round = 0; round < rounds; round++) {
    const blocks = 1 + ((round * 7 + arena.slot) % 5);
    const offset = arena.allocate(blocks * BLOCK_BYTES);
    if (offset !== undefined) {
      mine.push({ offset, blocks });
      mark(offset, blocks);
    }
    if (offset !== undefined && mine.length < 6) continue;
    const run = mine.shift();
    if (run === undefined) continue;
    strangers += countStrangers(run.offset, run.blocks);
    arena.release(run.offset, run.blocks * BLOCK_BYTES);
  }
  // What is left stays taken: the one who sweeps has something to find.
  return strangers;
}

function mark(offset: number, blocks: number): void {
  for (let block = 0; block < blocks; block++) arena.writable(offset + block * BLOCK_BYTES, 1)[0] = arena.slot;
}

function countStrangers(offset: number, blocks: number): number {
  let strangers = 0;
  for (let block = 0; block < blocks; block++) {
    if (arena.writable(offset + block * BLOCK_BYTES, 1)[0] !== arena.slot) strangers++;
  }
  return strangers;
}
