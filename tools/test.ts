/**
 * Everything that must hold before a change is done: types, lint, format, then all tests.
 *
 *   npm test                                     all of it
 *   npm test -- packages/core/src/values         only the tests of some folders or files
 *   npm test -- --checks | --unit | --integration   one part
 *   npm test -- --name "frees the worker"        only the tests whose name matches
 *
 * Unit tests (beside their source) run in parallel. Tests that start processes (under a `test/` folder, and those of
 * the tools) measure time limits of real processes, so they run one file at a time and have the machine to themselves.
 * Temporary files of the whole run go to one folder, which must be empty at the end: what is left there was leaked.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addCounts, type Counts, noCounts, reportRun, summaryLines } from "./test-report.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A test file that takes longer hangs: the slowest takes seconds. */
const testTimeoutMs = 300_000;
/** How long processes that were killed in a test may take to clean up after themselves. */
const cleanUpTimeoutMs = 3_000;
/** Caches that runtimes and other test runners keep between runs; not ours to remove. */
const foreignCaches = /^(node-compile-cache|tsx-|jest_|vitest|v8-compile-cache)/;

const checks: Record<string, readonly string[]> = {
  types: ["tsc", "-p", "tsconfig.json"],
  lint: ["oxlint", "--type-aware", "--deny-warnings", "--report-unused-disable-directives", "-f", "unix"],
  format: ["biome", "format"],
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checks: { type: "boolean", default: false },
    unit: { type: "boolean", default: false },
    integration: { type: "boolean", default: false },
    name: { type: "string" },
  },
});
const wantsAll = !flags.checks && !flags.unit && !flags.integration && flags.name === undefined && positionals.length === 0;
const wantsEveryTest = !flags.checks && !flags.unit && !flags.integration;

const problems: string[] = [];
let counts = noCounts;

if (wantsAll || flags.checks) problems.push(...(await runChecks()));

const files = testFiles(positionals);
if (positionals.length > 0 && files.length === 0) problems.push(`no test file in ${positionals.join(", ")}`);

const temporaryFolder = mkdtempSync(join(tmpdir(), "raia-test-"));
process.env["TMPDIR"] = temporaryFolder;
try {
  if (wantsEveryTest || flags.unit) await runTests(files.filter(isUnit), Math.max(2, availableParallelism()));
  if (wantsEveryTest || flags.integration)
    await runTests(
      files.filter((file) => !isUnit(file)),
      1,
    );
  const leaked = await leftBehind(temporaryFolder);
  if (leaked.length > 0) problems.push(`left behind in the temporary folder: ${leaked.join(", ")}`);
} finally {
  rmSync(temporaryFolder, { recursive: true, force: true });
}

for (const problem of problems) console.log(`✖ ${problem}`);
if (!flags.checks || counts.tests > 0) console.log(summaryLines(counts));
process.exitCode = problems.length === 0 && counts.failed === 0 && counts.cancelled === 0 ? 0 : 1;

/** Runs all checks at once; each prints one line, or what it found. Returns the failures. */
async function runChecks(): Promise<string[]> {
  const results = await Promise.all(Object.entries(checks).map(([name, command]) => runCheck(name, command)));
  return results.filter((failure) => failure !== undefined);
}

async function runCheck(name: string, [command, ...args]: readonly string[]): Promise<string | undefined> {
  const startMs = performance.now();
  const child = spawn(join(root, "node_modules", ".bin", command ?? ""), args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise<number | null>((done, reject) => child.once("error", reject).once("close", done));
  const took = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
  console.log(code === 0 ? `✔ ${name} (${took})` : `✖ ${name} (${took})\n${output}`);
  return code === 0 ? undefined : `${name} failed: see above, or run: npx ${[command, ...args].join(" ")}`;
}

function testFiles(parts: readonly string[]): string[] {
  const inside = parts.map((part) => resolve(root, part));
  return globSync("{packages,tools,docs,examples,bench}/**/*.test.ts", { cwd: root, exclude: isIgnored })
    .map((file) => join(root, file))
    .filter((file) => inside.length === 0 || inside.some((part) => file === part || file.startsWith(part + sep)))
    .sort();
}

function isIgnored(path: string): boolean {
  return /(^|[/\\])(node_modules|dist|fixtures|\.[^/\\]+)$/.test(path);
}

function isUnit(file: string): boolean {
  const parts = relative(root, file).split(sep);
  return parts[0] !== "tools" && !parts.includes("test");
}

async function runTests(part: readonly string[], concurrency: number): Promise<void> {
  if (part.length === 0) return;
  const stream = run({
    files: part,
    concurrency,
    timeout: testTimeoutMs,
    ...(flags.name === undefined ? {} : { testNamePatterns: [flags.name] }),
  });
  const partCounts: Counts = await reportRun(stream, root);
  counts = addCounts(counts, partCounts);
}

async function leftBehind(folder: string): Promise<string[]> {
  const deadlineMs = performance.now() + cleanUpTimeoutMs;
  for (;;) {
    const names = readdirSync(folder).filter((name) => !foreignCaches.test(name));
    if (names.length === 0 || performance.now() > deadlineMs) return names;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
