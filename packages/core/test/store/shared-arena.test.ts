/** The arena between real processes. */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { BLOCK_BYTES } from "../../src/store/block-table.ts";
import { FileArena } from "../../src/store/file-arena.ts";
import { SharedArena } from "../../src/store/shared-arena.ts";
import { WordRegion } from "../../src/store/word-region.ts";
import type { Order } from "./arena-process.ts";

const NODE_SLOT = 1;
const MiB = 1024 * 1024;

async function start(arena: SharedArena, slot: number): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("arena-process.ts", import.meta.url)), [arena.path, String(slot)]);
  await once(child, "message");
  return child;
}

async function ask(child: ChildProcess, order: Order): Promise<number> {
  child.send(order);
  const [answer] = (await once(child, "message")) as [number];
  return answer;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

test("arena: processes share it, take blocks at the same time without a clash, and leave nothing when shot", async () => {
  const arena = SharedArena.create({ capacityBytes: 40 * BLOCK_BYTES, slot: NODE_SLOT, directory: tmpdir() });
  const children = await Promise.all([start(arena, 2), start(arena, 3)]);
  const [one, two] = children;
  try {
    const words = new WordRegion(arena.blocksOffset);
    const offset = words.claim(1)!;
    const adding = children.map((child) => ask(child, { kind: "add", offset, times: 20_000 }));
    await Promise.all(adding);
    assert.equal(Atomics.load(arena.words(offset, 1), 0), 40_000, "atomics work between processes");

    const strangers = await Promise.all(children.map((child) => ask(child, { kind: "churn", rounds: 5_000 })));
    assert.deepEqual(strangers, [0, 0], "nobody wrote into another's blocks");

    await Promise.all(children.map(end));
    assert.ok(arena.blocks.sweep(2) > 0 && arena.blocks.sweep(3) > 0, "both held something when they were shot");
    assert.equal(arena.blocks.usage().indexOf(1), -1);
    assert.notEqual(arena.allocate(40 * BLOCK_BYTES), undefined);
  } finally {
    await Promise.all([end(one), end(two)]);
    arena.close();
  }
});

test("arena: what one writes another reads, and a reader's own writes stay with him until they are dropped", async () => {
  const arena = SharedArena.create({ capacityBytes: 64 * MiB, slot: NODE_SLOT, directory: tmpdir() });
  const child = await start(arena, 2);
  try {
    // Below and above the size from which the system is asked which pages were written.
    for (const [bytes, fill] of [
      [BLOCK_BYTES + 5, 11],
      [20 * MiB + 5, 12],
    ] as const) {
      const offset = await ask(child, { kind: "write", bytes, fill });
      assert.ok(arena.adopt(offset, bytes, 2));
      const buffer = arena.readable(offset, bytes);
      const view = new Uint8Array(buffer);
      assert.equal(buffer.byteLength, bytes);
      assert.deepEqual([view[0], view.at(-1)], [fill, fill]);

      view.fill(99, 0, 10);
      view[bytes - 1] = 99;
      const apart = arena.readableApart(offset, bytes);
      assert.deepEqual([new Uint8Array(apart.buffer)[0], arena.writable(offset, 1)[0]], [fill, fill]);
      assert.equal(await ask(child, { kind: "peek", offset }), fill);
      arena.dropPrivate(offset, bytes);
      assert.deepEqual([view[0], view.at(-1)], [fill, fill]);

      arena.release(offset, bytes);
    }
  } finally {
    await end(child);
    arena.close();
  }
});

test("arena: memory can be touched ahead, and given back", { skip: process.platform !== "linux" }, async () => {
  const arena = SharedArena.create({ capacityBytes: 8 * MiB, slot: NODE_SLOT, directory: tmpdir() });
  const memoryBytes = (): number => statSync(arena.path).blocks * 512;
  const offset = arena.allocate(BLOCK_BYTES)!;
  arena.writable(offset, BLOCK_BYTES).fill(7);
  const beforeBytes = memoryBytes();

  // Linux 5.14 and later; before, it says that it cannot.
  const couldTouch = await arena.populate(0, 64);
  assert.equal(memoryBytes() - beforeBytes, couldTouch ? 63 * BLOCK_BYTES : 0);
  assert.equal(arena.writable(offset, 1)[0], 7, "touching changes nothing");
  assert.ok(await arena.giveBack(0, 64));
  assert.equal(memoryBytes(), beforeBytes - BLOCK_BYTES);
  arena.close();
});

test("arena: a buffer cannot be moved away from the one who watches it", () => {
  const arena = SharedArena.create({ capacityBytes: 2 * MiB, slot: NODE_SLOT, directory: tmpdir() });
  const offset = arena.allocate(1000)!;
  arena.writable(offset, 1000).fill(5);
  const buffer = arena.readable(offset, 1000);

  const moved = buffer.transfer(10);

  assert.deepEqual([moved.byteLength, new Uint8Array(moved)[9], buffer.byteLength], [10, 5, 1000]);
  assert.throws(() => structuredClone(buffer, { transfer: [buffer] }), /transfer/);
  arena.close();
});

test("arena: what is not an arena is refused", () => {
  assert.throws(() => SharedArena.open({ path: fileURLToPath(import.meta.url), slot: 2 }), { code: "PROTOCOL" });
  for (const capacityBytes of [1000, Number.NaN, -1, 2 ** 60]) {
    assert.throws(() => SharedArena.create({ capacityBytes, slot: 1, directory: tmpdir() }), { code: "INVALID_OPTION" });
  }
});

test("arena: on Linux it is no file that could be left behind", { skip: process.platform !== "linux" }, () => {
  const arena = SharedArena.create({ capacityBytes: 2 * MiB, slot: NODE_SLOT, directory: tmpdir() });
  assert.match(arena.path, /^\/proc\/\d+\/fd\/\d+$/);
  arena.close();
  assert.equal(existsSync(arena.path), false);
});

test("arena: a thread reads and writes it as a file, without mapping it", () => {
  const arena = SharedArena.create({ capacityBytes: 40 * BLOCK_BYTES, slot: NODE_SLOT, directory: tmpdir() });
  const offset = arena.allocateFor(5, 3 * BLOCK_BYTES) as number;
  const unmapped = FileArena.open({ path: arena.path, slot: 5 });

  unmapped.write(offset, new Uint8Array(3 * BLOCK_BYTES).fill(7));
  assert.deepEqual(new Uint8Array(arena.readable(offset, 3 * BLOCK_BYTES)).subarray(-2), Uint8Array.of(7, 7));
  const copy = unmapped.readable(offset, 3 * BLOCK_BYTES);
  arena.writable(offset, 1)[0] = 8;
  assert.equal(new Uint8Array(copy)[0], 7);
  assert.equal(new Uint8Array(unmapped.readable(offset, 1))[0], 8);
  assert.equal(unmapped.allocate(), undefined);
  arena.close();
});
