import { readFileSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";
import { preload, runWorld, worldsDirectory } from "./run-world.ts";

const world = (name: string): string => path.join(worldsDirectory, name);
const text = (name: string): string => readFileSync(world(name), "utf8");

suite("functions shipped between processes", { concurrency: 2 }, () => {
  test("an ES module", async (t) => await runWorld(t, { args: [world("esm.ts")] }));
  test("CommonJS", async (t) => await runWorld(t, { args: ["--import", preload, world("commonjs.cjs")] }));
  test("-e with TypeScript", async (t) => {
    await runWorld(t, { args: ["--import", preload, "--input-type=module-typescript", "-e", text("eval.ts")] });
  });
  test("-e with CommonJS", async (t) => {
    await runWorld(t, { args: ["--import", preload, "--input-type=commonjs", "-e", text("eval.cjs")] });
  });
  test("standard input", async (t) => {
    await runWorld(t, { args: ["--import", preload, "--input-type=module-typescript", "-"], input: text("eval.ts") });
  });
  test("standard input with CommonJS", async (t) => await runWorld(t, { args: ["--import", preload, "-"], input: text("eval.cjs") }));
  test("the REPL", async (t) => {
    await runWorld(t, { args: ["--import", preload, "-i"], lines: text("repl.txt").trimEnd().split("\n") });
  });
  test("vm contexts, as notebooks use them", async (t) => await runWorld(t, { args: [world("vm-cells.ts")] }));
  test("worker threads", async (t) => await runWorld(t, { args: [world("threads.ts")] }));
});
