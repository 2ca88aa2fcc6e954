/**
 * A closure is all it takes: the function below uses a constant, another function, a class and an import of this script, and
 * runs in worker processes as it stands. It looks for numbers that give a text a hash with so many leading zeros.
 *
 *   node examples/closures/main.ts [text]
 */

import { createHash } from "node:crypto";
import { get, remote, shutdown, wait } from "raia";

const zeros = "0000";
const text = process.argv[2] ?? "the ray is a fish";
const numbersPerTask = 20_000;

class Finding {
  readonly number: number;
  readonly hash: string;

  constructor(number: number, hash: string) {
    this.number = number;
    this.hash = hash;
  }

  get line(): string {
    return `${String(this.number).padStart(8)}  ${this.hash.slice(0, 24)}`;
  }
}

function hashOf(number: number): string {
  return createHash("sha256").update(`${text} ${number}`).digest("hex");
}

const search = remote((from: number) => {
  const lines: string[] = [];
  for (let number = from; number < from + numbersPerTask; number++) {
    const finding = new Finding(number, hashOf(number));
    if (finding.hash.startsWith(zeros)) lines.push(finding.line);
  }
  return lines;
});

const tasks = Array.from({ length: 24 }, (_, index) => search.remote(index * numbersPerTask));
const { ready } = await wait(tasks, { numReturns: 1 });
console.log(`first of ${tasks.length} tasks to end: number ${tasks.indexOf(ready[0]!) + 1}`);

const lines = (await get(tasks)).flat();
console.log(`"${text}" and a number whose hash starts with ${zeros}:`);
for (const line of lines) console.log(line);
await shutdown();
