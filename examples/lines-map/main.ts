/**
 * A parallel map over a stream of lines: takes the addresses out of a log and puts pseudonyms in, on every core, in order, with
 * a bounded number of lines in memory however long the stream is. A pseudonym is slow to compute on purpose, so that nobody
 * finds the address by trying them all.
 *
 *   node examples/lines-map/main.ts < access.log > shareable.log
 */

import { scryptSync } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { map, shutdown } from "raia";

const salt = process.env["SALT"] ?? "pepper and salt";
const address = /\b\d{1,3}(?:\.\d{1,3}){3}\b/g;

function withoutAddresses(line: string): string {
  return line.replace(address, (found) => `user-${scryptSync(found, salt, 6, { N: 256 }).toString("hex")}`);
}

const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
let count = 0;
for await (const line of map(lines, withoutAddresses, { concurrency: 64 })) {
  count++;
  // The terminal or file sets the pace: when it is full, the map waits, and then the input does.
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}
process.stderr.write(`${count} lines\n`);
await shutdown();
