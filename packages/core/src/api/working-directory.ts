/**
 * The content of a directory as one hash. Files are read again only when a name, size or time of change in the tree is
 * another than last time, so hashing the same tree for many functions costs a walk.
 */
import type { Hash } from "node:crypto";
import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { RaiaError } from "../base/errors.ts";
import { crypto } from "../base/late-modules.ts";
import { LruMap } from "../base/lru-map.ts";
import { MAX_WORKING_DIR_BYTES, MAX_WORKING_DIR_FILES } from "./limits.ts";

/** More directories than a program works in. */
const MAX_REMEMBERED = 64;
const remembered = new LruMap<string, { readonly signature: string; readonly content: string }>(MAX_REMEMBERED);

/** Their contents follow from files that are hashed, or do not matter to a worker. */
const SKIPPED = new Set(["node_modules", ".git"]);

interface TreeFile {
  readonly path: string;
  readonly link: string | undefined;
  readonly stats: BigIntStats | undefined;
}

/**
 * @param root absolute path
 * @returns 64 hex characters; `node_modules` and `.git` are left out, symbolic links count by their target's name
 * @throws {RaiaError} RUNTIME_ENV_FAILED when it cannot be read, or is larger than the limits
 */
export function hashDirectory(root: string): string {
  try {
    const files = walk(root);
    const signature = digest((hash) => {
      for (const { path, link, stats } of files) hash.update(`${path}\0${link ?? ""}\0${stats?.size}\0${stats?.mtimeNs}\n`);
    });
    const known = remembered.get(root);
    if (known?.signature === signature) return known.content;
    const content = digest((hash) => {
      for (const { path, link } of files) {
        const bytes = link === undefined ? readFileSync(join(root, path)) : Buffer.from(link);
        hash.update(`${path}\0${link === undefined ? "file" : "link"}\0${bytes.length}\0`).update(bytes);
      }
    });
    remembered.set(root, { signature, content });
    return content;
  } catch (cause) {
    if (RaiaError.is(cause)) throw cause;
    throw new RaiaError("RUNTIME_ENV_FAILED", { workingDir: root, reason: String((cause as Error).message) }, { cause });
  }
}

function digest(feed: (hash: Hash) => void): string {
  const hash = crypto().createHash("sha256");
  feed(hash);
  return hash.digest("hex");
}

/** Every file below, in an order that does not depend on the file system. */
function walk(root: string): TreeFile[] {
  if (!statSync(root).isDirectory()) throw new RaiaError("RUNTIME_ENV_FAILED", { workingDir: root, reason: "it is not a directory" });
  const files: TreeFile[] = [];
  let totalBytes = 0;
  const open = [""];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) open.push(path);
        continue;
      }
      if (entry.isSymbolicLink()) files.push({ path, link: readlinkSync(join(root, path)), stats: undefined });
      else if (entry.isFile()) {
        const stats = statSync(join(root, path), { bigint: true });
        totalBytes += Number(stats.size);
        files.push({ path, link: undefined, stats });
      }
      if (files.length > MAX_WORKING_DIR_FILES) throw tooLarge(root, "files", files.length, MAX_WORKING_DIR_FILES);
      if (totalBytes > MAX_WORKING_DIR_BYTES) throw tooLarge(root, "bytes", totalBytes, MAX_WORKING_DIR_BYTES);
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function tooLarge(root: string, unit: string, found: number, most: number): RaiaError {
  return new RaiaError("RUNTIME_ENV_FAILED", { workingDir: root, reason: `it has more ${unit} than can be hashed`, found, most });
}
