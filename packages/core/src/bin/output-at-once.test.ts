import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";

test("output: all that was printed has left a process that is shot in the very same turn", async () => {
  const source = `
    import { printAtOnce } from ${JSON.stringify(new URL("./output-at-once.ts", import.meta.url).href)};
    printAtOnce();
    for (let line = 0; line < 100_000; line++) (line % 2 === 0 ? console.log : console.error)("line", line);
    process.kill(process.pid, "SIGKILL");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(out.split("\n").length + err.split("\n").length - 2, 100_000);
  assert.ok(out.endsWith("line 99998\n") && err.endsWith("line 99999\n"));
});
