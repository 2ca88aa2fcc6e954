import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { workerCommand } from "./worker-command.ts";

test("a worker starts where its program stands, in the root when that is gone; a directory that was asked for must be there", () => {
  const startIn = (cwd: string, workingDir?: string): string =>
    workerCommand(
      { workerId: "w", execArgv: [], cwd, envVars: {}, setupHook: undefined, workingDir },
      {},
      { sessionPath: "/session", controlAddress: "/session/head" },
    ).cwd;
  const gone = "/nowhere/at/all";
  assert.deepEqual([startIn(tmpdir()), startIn(gone), startIn(gone, gone)], [tmpdir(), "/", gone]);
});
