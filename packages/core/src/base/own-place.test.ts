import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { checkProgramsAreHere } from "./own-place.ts";

const refusal = { code: "CLUSTER_START_FAILED", message: /part of a bundle.*--external:raia/ };

async function bundled(folder: string, name: string, format: "esm" | "cjs"): Promise<string> {
  const outfile = join(folder, name);
  const entryPoints = [join(import.meta.dirname, "own-place.ts")];
  await build({ entryPoints, outfile, format, bundle: true, platform: "node", logLevel: "silent" });
  return outfile;
}

test("the programs of this library are beside its code; in a bundle they are not, and it says so", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "raia-bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  checkProgramsAreHere();

  const asModule = (await import(pathToFileURL(await bundled(folder, "a.mjs", "esm")).href)) as typeof import("./own-place.ts");
  assert.throws(() => asModule.checkProgramsAreHere(), refusal);

  const commonJs = await bundled(folder, "a.cjs", "cjs");
  assert.throws(() => createRequire(import.meta.url)(commonJs) as unknown, refusal);
});
