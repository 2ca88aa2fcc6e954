/** What actors do at their end is done, however a program ends in order. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNothingLeft } from "@raia/testing/fixtures/cluster";
import { notes } from "@raia/testing/fixtures/signals";

const program = fileURLToPath(new URL("actor-ends-program.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "rt-"));

after(async () => {
  await assertNothingLeft(directory);
  rmSync(directory, { recursive: true, force: true });
});

async function notesOf(how: string, mode: string): Promise<readonly string[]> {
  const path = join(directory, `${how}-${mode}`);
  const env = { ...process.env, RAIA_TMPDIR: directory, RAIA_MODE: mode };
  const child = spawn(process.execPath, [program, how, path], { env, stdio: ["ignore", "ignore", "inherit"] });
  assert.deepEqual(await once(child, "exit"), [0, null]);
  return notes(path);
}

for (const mode of ["processes", "inProcess"]) {
  test(`${mode}: await using goes on when the actor has disposed of itself, after its calls`, async () => {
    assert.deepEqual(await notesOf("await using", mode), ["unnamed begins", "unnamed ends", "block left"]);
  });

  test(`${mode}: shutdown() waits for the disposal of all actors of the job`, async () => {
    const noted = await notesOf("shutdown", mode);
    assert.deepEqual(noted.toSorted(), ["named begins", "named ends", "shut down", "unnamed begins", "unnamed ends"]);
    assert.equal(noted.at(-1), "shut down");
  });

  test(`${mode}: a program that simply ends does the same`, async () => {
    assert.deepEqual((await notesOf("end", mode)).toSorted(), ["named begins", "named ends", "unnamed begins", "unnamed ends"]);
  });

  test(`${mode}: an actor that has ended itself is waited for`, async () => {
    assert.deepEqual(await notesOf("exitActor", mode), ["unnamed begins", "unnamed ends"]);
  });
}

test("a disposal that never ends does not hold up the end of a program", async () => {
  assert.deepEqual(await notesOf("endless", "processes"), ["unnamed begins", "unnamed ends", "shut down"]);
});
