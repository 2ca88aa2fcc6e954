#!/usr/bin/env node
// @ts-check
// Plain JavaScript, so that an old Node.js can read it far enough to say what is wrong.
import { existsSync } from "node:fs";

const oldestMajor = 24;
if (Number(process.versions.node.split(".")[0]) < oldestMajor) {
  process.stderr.write(`raia: Node.js ${process.versions.node} is too old; Raia runs on ${oldestMajor} and newer\n`);
  process.exit(1);
}
// A checkout has the sources and runs them as they are; an installed package has only what was built from them.
const source = new URL("../src/main.ts", import.meta.url);
await import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href);
