import { suite, test } from "node:test";
import path from "node:path";
import { runWorld, worldsDirectory } from "./run-world.ts";

suite("functions shipped between processes", { concurrency: 2 }, () => {
  test("an ES module run by Node", async (t) => await runWorld(t, { args: [path.join(worldsDirectory, "esm.ts")] }));
});
