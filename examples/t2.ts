import { init, remote, get, put, wait, shutdown, kill, getActor, cancel } from "raia";
await init({ numCpus: 2 });
class Counter {
  #n = 0;
  add(by: number) {
    return (this.#n += by);
  }
  async *count(to: number) {
    for (let i = 0; i < to; i++) yield i;
  }
  fail() {
    throw new TypeError("boom");
  }
  die() {
    process.exit(3);
  }
  pid() {
    return process.pid;
  }
}
const C: any = remote(Counter);
const c = C.options({ name: "hits", maxRestarts: 1 }).remote();
let t = performance.now();
console.log("actor", await get([c.add.remote(2), c.add.remote(3)]), (performance.now() - t).toFixed(0));
const items: number[] = [];
for await (const ref of c.count.remote(10)) items.push((await get(ref as any)) as number);
console.log(items);
try {
  await get(c.fail.remote());
} catch (e: any) {
  console.log(e instanceof TypeError, e.stack);
}
const c2: any = await getActor("hits");
console.log(await get(c2.add.remote(1)));
const big = put(new Float64Array(1 << 20).fill(2));
const sum: any = remote((a: Float64Array) => a.reduce((x, y) => x + y, 0));
console.log(await get(sum.remote(big)), ((await get(big)) as any).length);
const make: any = remote((n: number) => new Float64Array(n).fill(1));
console.log(((await get(make.remote(1e6))) as any).length);
const nested: any = remote(async (n: number): Promise<number> => (n === 0 ? 0 : 1 + ((await get(nested.remote(n - 1))) as number)));
t = performance.now();
console.log("nested", await get(nested.remote(20)), (performance.now() - t).toFixed(0));
try {
  await get(c.die.remote());
} catch (e: any) {
  console.log(e.message);
}
console.log("after restart", await get(c.add.remote(1)));
const slow: any = remote(async (ms: number) => {
  await new Promise((r) => setTimeout(r, ms));
  return ms;
});
console.log(await wait([slow.remote(500), slow.remote(10)], { timeoutMs: 300 }).then((r) => [r.ready.length, r.pending.length]));
const ref = slow.remote(10000);
setTimeout(() => cancel(ref), 50);
try {
  await get(ref);
} catch (e: any) {
  console.log(e.message);
}
const crash: any = remote(
  () => {
    process.kill(process.pid, "SIGKILL");
  },
  { maxRetries: 1 },
);
t = performance.now();
try {
  await get(crash.remote());
} catch (e: any) {
  console.log(e.message, (performance.now() - t).toFixed(0));
}
const gen: any = remote(function* (n: number) {
  for (let i = 0; i < n; i++) yield i;
});
let k = 0;
for await (const r of gen.remote(5)) {
  k += (await get(r as any)) as number;
}
console.log("gen", k);
const pr: any = remote(() => put(42));
const inner = await get(pr.remote());
console.log("inner", await get(inner as any));
const m: any = remote(() => [1, 2], { numReturns: 2 });
const [a, b] = m.remote();
console.log(await get([a, b]));
console.log(await get(remote(() => console.log("hello from worker")).remote() as any));
await shutdown();
