import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { withOwnModules } from "./own-modules.ts";

/** What the next in the chain of resolvers is asked for while `run` runs. */
async function askedDuring(run: () => Promise<unknown>): Promise<string[]> {
  const asked: string[] = [];
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      asked.push(specifier);
      return next(specifier, context);
    },
  });
  await run().finally(() => hooks.deregister());
  return asked;
}

test("own modules: nobody is asked where they are, and they are the modules that Node finds", async () => {
  const load = (): Promise<object> => import("./keep-alive.ts");
  let early: unknown;

  const asked = await askedDuring(async () => {
    early = await withOwnModules(load);
  });

  assert.deepEqual(asked, []);
  assert.equal(early, await load());
});

test("own modules: others are found in Node's way, and afterwards all", async () => {
  const during = await askedDuring(() => withOwnModules(() => import("koffi")));
  const after = await askedDuring(() => import("./keep-alive.ts"));

  assert.deepEqual([during[0], after], ["koffi", ["./keep-alive.ts"]]);
});

test("own modules: what fails to load leaves nothing behind", async () => {
  const absent = "./absent.ts";

  await assert.rejects(
    withOwnModules(() => import(absent)),
    { code: "ENOENT" },
  );

  assert.deepEqual(await askedDuring(() => import("./keep-alive.ts")), ["./keep-alive.ts"]);
});
