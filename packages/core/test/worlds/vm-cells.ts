/** Notebook kernels run each cell as a script in one vm context; what a later cell defines again is the new one. */
import { createRequire } from "node:module";
import vm from "node:vm";
import { finish, refused, trip } from "../functions/trip.ts";

const context = vm.createContext({ console, trip, refused, require: createRequire(import.meta.url), given: { list: [1, 2] }, URL });
let cell = 0;
const run = async (text: string): Promise<unknown> =>
  await (vm.runInContext(text, context, { filename: `cell-${++cell}.js` }) as Promise<unknown>);

await run("const base = 4; var v = 5; function f(x) { return x + base } class Thing { n = base; describe() { return this.n } }");
await run('trip("script constants and context globals", () => [base, v, f(1), given.list.length])');
await run("function f(x) { return x + 100 }");
await run('trip("a function defined again is the new one", () => f(1))');
await run('trip("a class of another realm", Thing)');
await run(
  'const list = [3, 1, { a: new Map([["k", new Date(5)]]) }]; trip("values of another realm", () => [list.length, list[2].a.get("k").getTime(), list instanceof Array])',
);
await run(
  "class Own extends Error { constructor(m) { super(m); this.extra = base } }; class Bag extends Map { total() { return this.size } }",
);
await run(
  'trip("subclasses of another realm\'s built-ins", () => [new Own("x").extra, new Own("x") instanceof Error, new Bag([[1, 2]]).total()])',
);
await run('const arrayPrototype = Array.prototype; trip("an intrinsic of another realm", () => arrayPrototype === Array.prototype)');
await run('const even = (n) => n === 0 || odd(n - 1); const odd = (n) => n !== 0 && even(n - 1); trip("mutual recursion", even, 6)');
await run("let written = 0; const bump = () => ++written;");
await run('trip("a written variable over cells", () => [bump(), bump(), written])');
await run('trip("an async function", async (x) => (await x) * base, 2)');
await run('trip("require", () => require("./modules/library.cjs").triple(3))');
await run('const point = { x: 1, get twice() { return this.x * 2 } }; trip("accessors", () => point.twice)');
await run('refused("this at the top", () => this, { reason: "`this`" })');
await run('const p = Promise.resolve(1); refused("a promise of another realm", () => p, { reason: "promise" })');
await run('const it = [1][Symbol.iterator](); refused("an iterator of another realm", () => it, { reason: "iterator" })');

// Code that is made from text
// oxlint-disable-next-line typescript/no-implied-eval -- such code is what is tested
const made = new Function("a", "b", "return a + b + Number.parseInt('1')") as (a: number, b: number) => number;
await trip("new Function", made, 1, 2);
// oxlint-disable-next-line no-eval -- such code is what is tested
await trip("indirect eval", (0, eval)("(x) => x * 2") as Function, 4);
finish();
