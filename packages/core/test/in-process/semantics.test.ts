/** The tests of what exactly happens, once more in one process; but for those about what one process cannot give. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** Names begin so; each with what the test needs and one process has not. */
const left: { readonly [file: string]: readonly string[] } = {
  "semantics/tasks": [
    "runs in another process", // another process
    "envVars: a worker of its own", // another environment
  ],
  "semantics/objects": [
    "what a task returned outlives its worker", // the death of a process
    "OWNER_DIED", // the death of a process
    "a large object of a dead worker", // the death of a process
  ],
  "semantics/streams": [
    "a stream whose worker dies", // the death of a process
    "one that is left while its actor runs it", // the death of a process
  ],
  "semantics/actors": [
    "killed: calls reject with ACTOR_DIED and the process is gone", // another process
    "C-4: killed in a call", // the death of a process
    "maxTaskRetries: a call that was lost", // the death of a process
    "refs that an actor gave", // the death of a process
    "kill without noRestart", // another process
    "exitActor: its call", // another process
    "an unnamed actor dies", // another process
    "limits hold though", // a loop of its own
    "timeoutMs: a process that stands still", // another process
  ],
  "semantics/call-context": [],
  "semantics/captures": [],
  "semantics/placement-groups": [],
  "api/map": [
    "short items share tasks", // module state that is each process's own
    "an item that takes its process along", // an exit
  ],
  "api/queue": [
    "an actor of a pool that dies", // the death of a process
  ],
};

for (const [file, names] of Object.entries(left)) {
  test(`${file} in one process`, { timeout: 180_000 }, async () => {
    const path = fileURLToPath(new URL(`../${file}.test.ts`, import.meta.url));
    const source = readFileSync(path, "utf8");
    const gone = names.filter((name) => !source.includes(name));
    assert.deepEqual(gone, [], "tests that are left out and are not there");
    const { code, output } = await runTests(path, names);
    assert.equal(code, 0, output);
    assert.match(output, /^# pass [1-9]/m);
  });
}

function runTests(path: string, left: readonly string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const skipped = left.map((name) => `--test-skip-pattern=${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}`);
  const args = ["--test", "--test-reporter=tap", ...skipped, path];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...env, RAIA_MODE: "inProcess" }, timeout: 170_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), output: `${failuresIn(stdout)}${stderr}` }),
    );
  });
}

/** What failed, and the sums. */
function failuresIn(tap: string): string {
  const lines = tap.split("\n");
  const shown = lines.flatMap((line, at) =>
    /^\s*not ok /.test(line) ? lines.slice(at, at + 12) : /^# (pass|fail) /.test(line) ? [line] : [],
  );
  return `${shown.join("\n")}\n`;
}
