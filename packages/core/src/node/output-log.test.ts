import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogDisk, LogHandle } from "./output-log-disk.ts";
import { OutputLogDirectory } from "./output-log-directory.ts";

/** A disk that can be full, or stall until told. */
class FakeDisk implements LogDisk {
  readonly files = new Map<string, string>();
  isFull = false;
  stalled: PromiseWithResolvers<void> | undefined;
  openHandles = 0;

  async open(path: string): Promise<LogHandle> {
    // Renaming moves the file under an open handle; the log closes first, so the path is enough here.
    this.files.set(path, this.files.get(path) ?? "");
    this.openHandles++;
    return {
      write: async (chunks) => {
        await this.stalled?.promise;
        if (this.isFull) throw new Error("ENOSPC");
        this.files.set(path, this.files.get(path) + Buffer.concat([...chunks]).toString());
      },
      close: () => void this.openHandles--,
    };
  }

  rename(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  unlink(path: string): void {
    this.files.delete(path);
  }

  sizes(): Record<string, number> {
    return Object.fromEntries([...this.files].map(([path, text]) => [path, text.length]));
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

test("log: rotates at its size and keeps three files, newest first", async () => {
  const disk = new FakeDisk();
  const log = new OutputLogDirectory(disk, "/logs", { fileBytes: 10 }).open("w.out");
  for (const digit of ["1", "2", "3", "4", "5"]) {
    log.append(Buffer.from(digit.repeat(10)));
    await settle();
  }
  log.append(Buffer.from("rest"));
  await settle();
  log.close();

  assert.deepEqual(
    [...disk.files].sort(([a], [b]) => a.localeCompare(b)),
    [
      ["/logs/w.out", "rest"],
      ["/logs/w.out.1", "5555555555"],
      ["/logs/w.out.2", "4444444444"],
    ],
  );
  assert.equal(disk.openHandles, 0);
});

test("log: a disk that stalls costs bytes, counted, and no memory beyond the queue", async () => {
  const disk = new FakeDisk();
  disk.stalled = Promise.withResolvers<void>();
  const log = new OutputLogDirectory(disk, "/logs").open("w.out");
  const chunk = Buffer.alloc(1 << 20, "x");
  for (let index = 0; index < 10; index++) log.append(chunk);
  disk.stalled.resolve();
  await settle();
  log.append(Buffer.from("after"));
  await settle();

  const text = disk.files.get("/logs/w.out")!;
  assert.ok(text.endsWith(`\n[${6 << 20} bytes dropped: the disk was full or slower than the output]\nafter`), text.slice(-100));
  assert.equal(text.startsWith("x".repeat(4 << 20)), true);
});

test("log: a full disk is survived, and told when there is room again", async () => {
  const disk = new FakeDisk();
  const log = new OutputLogDirectory(disk, "/logs").open("w.out");
  disk.isFull = true;
  log.append(Buffer.from("lost1"));
  await settle();
  log.append(Buffer.from("lost2"));
  await settle();
  disk.isFull = false;
  log.append(Buffer.from("kept"));
  await settle();

  assert.equal(disk.files.get("/logs/w.out"), "\n[10 bytes dropped: the disk was full or slower than the output]\nkept");
});

test("log: closing while a write is under way finishes it", async () => {
  const disk = new FakeDisk();
  const log = new OutputLogDirectory(disk, "/logs").open("w.out");
  log.append(Buffer.from("a"));
  log.append(Buffer.from("b"));
  log.close();
  assert.equal(disk.files.get("/logs/w.out"), "");
  await settle();

  assert.deepEqual([disk.files.get("/logs/w.out"), disk.openHandles], ["ab", 0]);
});

test("logs: past the cap of bytes or files the oldest of dead workers go, never those in use", async () => {
  const disk = new FakeDisk();
  const logs = new OutputLogDirectory(disk, "/logs", { totalBytes: 25, fileCount: 2 });
  const live = logs.open("live");
  live.append(Buffer.from("0123456789"));
  await settle();
  for (const name of ["a", "b"]) {
    const log = logs.open(name);
    log.append(Buffer.from("0123456789"));
    await settle();
    log.close();
  }
  assert.deepEqual(Object.keys(disk.sizes()), ["/logs/live", "/logs/b"]);

  for (const name of ["c", "d"]) {
    const log = logs.open(name);
    log.append(Buffer.from("1"));
    await settle();
    log.close();
  }
  assert.deepEqual(Object.keys(disk.sizes()), ["/logs/live", "/logs/c", "/logs/d"]);
});
