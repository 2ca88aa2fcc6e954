/**
 * Seeds that follow from the source: the same code runs the same seeds everywhere, so a change elsewhere cannot turn a test
 * run red by chance, and each change of the code tries new ones.
 */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../../core/src", import.meta.url));

export function firstSeedOfTree(): number {
  const hash = createHash("sha256");
  for (const file of globSync("**/*.ts", { cwd: source }).sort()) hash.update(file).update(readFileSync(join(source, file)));
  return hash.digest().readUInt32LE(0) % 1_000_000_000;
}
