import assert from "node:assert/strict";
import { test } from "node:test";
import { Example } from "./example-process.ts";

test("counter server: two processes count in one actor", async () => {
  using example = new Example();
  const first = example.start("counter-server/main.ts", ["--port", "0"]);
  const [, firstUrl] = await first.says(/listening on (http:\S+)/);
  const second = example.start("counter-server/main.ts", ["--port", "0"], "none", {
    RAIA_ADDRESS: /RAIA_ADDRESS=(\S+)/.exec(first.output.stdout)![1]!,
  });
  const [, secondUrl] = await second.says(/listening on (http:\S+)/);

  const posts = Array.from({ length: 50 }, (_, index) => fetch(`${index % 2 === 0 ? firstUrl : secondUrl}/hits/home`, { method: "POST" }));
  const seen = await Promise.all(posts.map(async (post) => ((await (await post).json()) as { hits: number }).hits));
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  assert.deepEqual(await (await fetch(`${secondUrl}/hits`)).json(), { home: 50 });
  assert.equal((await fetch(`${firstUrl}/hits/no/such`)).status, 404);
  assert.equal((await fetch(`${firstUrl}/hits/home`, { method: "PUT" })).status, 405);

  second.terminate();
  assert.equal((await second.ended).code, 0);
  assert.deepEqual(await (await fetch(`${firstUrl}/hits`)).json(), { home: 50 });
  first.pressCtrlC();
  const { code, stderr } = await first.ended;
  assert.equal(code, 0, stderr);
  assert.deepEqual(await example.leftBehind(), []);
});
