/** Two copies of the library in one process, as two bundles or a test runner's module registry make them. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import test, { after, before } from "node:test";
import * as one from "@raia/core";

/** Modules of the second copy have this in their address, and so have those that they import. */
const MARK = "?second-copy";

let two: typeof one;

before(async () => {
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const isOfSecond = specifier.endsWith(MARK) || context.parentURL?.endsWith(MARK) === true;
      return isOfSecond && found.url.includes("/core/src/") && !found.url.includes("?") ? { ...found, url: found.url + MARK } : found;
    },
  });
  const copy = `${import.meta.resolve("@raia/core")}${MARK}`;
  two = (await import(copy)) as typeof one;
  await one.init({ mode: "inProcess" });
  await two.init({ mode: "inProcess" });
});

after(async () => {
  await one.shutdown();
  await two.shutdown();
});

class Named {
  answer(): number {
    return 42;
  }
}

test("both copies run new functions, in turn", async () => {
  assert.notEqual(one.remote, two.remote);
  for (let i = 0; i < 3; i++) {
    assert.equal(await one.get(one.remote(() => i).remote()), i);
    assert.equal(await two.get(two.remote(() => -i).remote()), -i);
  }
});

test("what belongs to the other copy is told from what is no ref at all", async () => {
  const ref = one.put(1) as never;
  const actor = one.remote(Named).remote() as never;
  const echo = two.remote((value: unknown) => value);
  const ofOther = { code: "INVALID_ARGUMENT", message: /of another copy of the library/ };
  await assert.rejects(two.get(ref), ofOther);
  await assert.rejects(two.get([ref]), ofOther);
  await assert.rejects(two.kill(actor), ofOther);
  await assert.rejects(two.explain(actor), ofOther);
  await assert.rejects(two.explain(ref), ofOther);
  assert.throws(() => two.free(ref), ofOther);
  assert.throws(() => two.cancel(ref), ofOther);
  assert.throws(() => two.put({ ref }), ofOther);
  assert.throws(() => echo.remote(ref), ofOther);
  assert.throws(() => echo.remote(actor), ofOther);
  await assert.rejects(two.get({} as never, 5 as never), { code: "INVALID_OPTION" });
  await assert.rejects(two.get([{}] as never), { message: /got=object/ });
});
