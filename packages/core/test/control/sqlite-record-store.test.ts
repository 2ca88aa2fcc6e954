import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { SqliteRecordStore } from "../../src/control/sqlite-record-store.ts";

function freshPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "raia-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "control.db");
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("store: what was written is read back by the next process, in order of key", async (t) => {
  const path = freshPath(t);
  const first = new SqliteRecordStore({ path });
  await first.write([
    { table: "kv", key: "b", value: text("2") },
    { table: "kv", key: "a", value: text("old") },
    { table: "jobs", key: "a", value: text("job") },
  ]);
  await first.write([
    { table: "kv", key: "a", value: text("1") },
    { table: "kv", key: "b", value: undefined },
  ]);
  await first.close();

  const second = new SqliteRecordStore({ path });
  const records = await second.load("kv");
  await second.close();

  assert.deepEqual(
    records.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    [["a", "1"]],
  );
});

test("store: a file that does not exist is not made by reading", async (t) => {
  const path = freshPath(t);
  const store = new SqliteRecordStore({ path });

  assert.deepEqual(await store.load("kv"), []);
  await store.close();

  assert.equal(existsSync(path), false);
});

test("store: what is written while a commit runs shares the next one", async (t) => {
  const store = new SqliteRecordStore({ path: freshPath(t) });
  const writes = Array.from({ length: 1000 }, (_, index) => store.write([{ table: "kv", key: String(index), value: text("x") }]));

  await Promise.all(writes);

  assert.equal(store.commits, 2);
  assert.equal((await store.load("kv")).length, 1000);
  await store.close();
});

test("store: a full file refuses the write and stays as it was", async (t) => {
  const store = new SqliteRecordStore({ path: freshPath(t), maxBytes: 64 * 1024 });
  await store.write([{ table: "kv", key: "a", value: text("kept") }]);

  await assert.rejects(
    store.write([
      { table: "kv", key: "a", value: text("lost") },
      { table: "kv", key: "b", value: new Uint8Array(200_000) },
    ]),
    { code: "CONTROL_STORE_FAILED" },
  );
  await store.write([{ table: "kv", key: "c", value: text("later") }]);

  const records = await store.load("kv");
  assert.deepEqual(
    records.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    [
      ["a", "kept"],
      ["c", "later"],
    ],
  );
  await store.close();
});

test("store: writes past the cap of waiting bytes are refused, those before it are kept", async (t) => {
  const store = new SqliteRecordStore({ path: freshPath(t), maxPendingBytes: 10_000 });
  const value = new Uint8Array(4000);
  const results = await Promise.allSettled(["a", "b", "c", "d", "e"].map((key) => store.write([{ table: "kv", key, value }])));

  // The first is committed while the others wait; two of those fit.
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"],
  );
  assert.deepEqual(
    (await store.load("kv")).map(({ key }) => key),
    ["a", "b", "c"],
  );
  await store.close();
});

test("store: a second process on the same file is refused", async (t) => {
  const path = freshPath(t);
  const first = new SqliteRecordStore({ path });
  await first.write([{ table: "kv", key: "a", value: text("1") }]);
  const second = new SqliteRecordStore({ path });

  await assert.rejects(second.load("kv"), { code: "CONTROL_STORE_FAILED" });

  await Promise.all([first.close(), second.close()]);
});

test("store: acknowledged writes survive kill -9", async (t) => {
  const path = freshPath(t);
  const module = new URL("../../src/control/sqlite-record-store.ts", import.meta.url).href;
  // Many writers at once, so that the kill falls into a commit; each prints its key once it was acknowledged.
  const source = `
    import { SqliteRecordStore } from ${JSON.stringify(module)};
    import { writeSync } from "node:fs";
    const store = new SqliteRecordStore({ path: ${JSON.stringify(path)} });
    let next = 0;
    async function writer() {
      for (;;) {
        const key = String(next++);
        await store.write([{ table: "kv", key, value: Buffer.from("value of " + key) }]);
        writeSync(1, key + "\\n");
      }
    }
    for (let count = 0; count < 8; count++) void writer();
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === 100) child.kill("SIGKILL");
  }
  await exited;

  const store = new SqliteRecordStore({ path });
  const found = new Map((await store.load("kv")).map(({ key, value }) => [key, Buffer.from(value).toString()]));
  await store.close();

  assert.ok(acknowledged.length >= 100);
  for (const key of acknowledged) assert.equal(found.get(key), `value of ${key}`);
});
