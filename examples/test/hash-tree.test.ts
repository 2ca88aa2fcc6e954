import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Example } from "./example-process.ts";

test("hash tree: the hash is that of a plain recursion, and changes with a byte far below", async () => {
  using example = new Example();
  const root = join(example.outDirectory, "tree");
  plant(root, 3);

  const before = await example.run("hash-tree/main.ts", [root]);
  assert.equal(before.code, 0, before.stderr);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.match(before.stdout, new RegExp(`^${hashOf(root)}  \\S+  ${files.length} files, \\d+ bytes\\n$`));

  const [deep] = files.filter(({ parentPath }) => parentPath.endsWith("2"));
  writeFileSync(join(deep!.parentPath, deep!.name), "changed");
  const after = await example.run("hash-tree/main.ts", [root]);
  assert.equal(after.stdout.slice(0, 64), hashOf(root));
  assert.notEqual(after.stdout.slice(0, 64), before.stdout.slice(0, 64));
  assert.deepEqual(await example.leftBehind(), []);
});

function plant(directory: string, depth: number): void {
  mkdirSync(directory, { recursive: true });
  for (let index = 0; index < 3; index++) writeFileSync(join(directory, `file-${index}`), `${directory} ${index}`.repeat(index * 100));
  if (depth > 0) for (let index = 0; index < 3; index++) plant(join(directory, `below-${index}`), depth - 1);
}

function hashOf(directory: string): string {
  const hash = createHash("sha256");
  const names = readdirSync(directory).sort();
  const isDirectory = (name: string) => statSync(join(directory, name)).isDirectory();
  for (const name of names.filter((each) => !isDirectory(each))) {
    hash.update(
      `file ${name} ${createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex")}\n`,
    );
  }
  for (const name of names.filter(isDirectory)) hash.update(`directory ${name} ${hashOf(join(directory, name))}\n`);
  return hash.digest("hex");
}
