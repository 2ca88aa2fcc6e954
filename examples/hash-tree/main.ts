/**
 * A tree of tasks in the shape of a tree of directories: the task of a directory starts one for each directory in it, and
 * hashes what they find. Equal trees have equal hashes, and one changed byte changes those above it.
 *
 *   node examples/hash-tree/main.ts [directory]
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { get, type RemoteFunction, remote, shutdown } from "raia";

type Tree = { readonly hash: string; readonly files: number; readonly bytes: number };

const hashDirectory: RemoteFunction<[directory: string], Tree> = remote(async (directory: string): Promise<Tree> => {
  const entries = (await readdir(directory, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  // Below first: while this task reads its files, others are at work underneath.
  const below = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, tree: hashDirectory.remote(join(directory, name)) }));
  const hash = createHash("sha256");
  let [files, bytes] = [0, 0];
  for (const { name } of entries.filter((entry) => entry.isFile())) {
    const content = createHash("sha256");
    await pipeline(createReadStream(join(directory, name)), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        content.update(chunk);
        bytes += chunk.length;
      }
    });
    hash.update(`file ${name} ${content.digest("hex")}\n`);
    files++;
  }
  // While it waits for them, its CPU is theirs.
  const trees = await get(below.map(({ tree }) => tree));
  for (const [index, tree] of trees.entries()) {
    hash.update(`directory ${below[index]!.name} ${tree.hash}\n`);
    files += tree.files;
    bytes += tree.bytes;
  }
  return { hash: hash.digest("hex"), files, bytes };
});

const root = resolve(process.argv[2] ?? ".");
const { hash, files, bytes } = await get(hashDirectory.remote(root));
console.log(`${hash}  ${root}  ${files} files, ${bytes} bytes`);
await shutdown();
