/** An ES module run by Node as the entry: everything declared here travels as text. */
import { EventEmitter } from "node:events";
import * as fs from "node:fs";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path, { join as joinPath } from "node:path";
import { finish, refused, trip } from "../functions/trip.ts";
import defaultExport, {
  arrow,
  counter,
  double,
  giveUnexported,
  increment,
  makeAdder,
  makeQuery,
  makeWriter,
  setLimits,
  Shape,
  shown,
} from "./modules/live.ts";
import * as live from "./modules/live.ts";
import settings from "./modules/settings.json" with { type: "json" };

const constant = 3;
let changed = 1;
changed = 2;
// oxlint-disable-next-line no-var -- such code is what is tested
var hoisted = "var";
const config = { depth: 2, nested: { list: [1, 2, { three: 3 }] } };
const table = new Map<string, unknown>([["one", 1]]);
const awaited = await Promise.resolve("awaited");

await trip("let, const and var", () => [constant, changed, hoisted]);
await trip("a function declared later", () => later(2));
await trip("top-level await", () => awaited);
await trip("plain data", () => [config.nested, table.get("one"), config.depth]);
await trip("arguments", (a: number, { b }: { b: number }, ...rest: number[]) => [a, b, rest], 1, { b: 2 }, 3, 4);
function later(x: number): number {
  return x * constant;
}

// Functions over functions
const isEven = (n: number): boolean => n === 0 || isOdd(n - 1);
const isOdd = (n: number): boolean => n !== 0 && isEven(n - 1);
await trip("mutual recursion", isEven, 10);
const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));
await trip("self recursion of an arrow", fib, 12);
await trip("self recursion of a declaration", factorial, 6);
function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
const cyclic: { self?: unknown; call?: () => boolean } = {};
cyclic.self = cyclic;
cyclic.call = () => cyclic.self === cyclic;
await trip("a cyclic capture", () => cyclic.call?.());
const shared = { hits: 0 };
const hit = (): number => ++shared.hits;
await trip("shared objects keep their identity", () => [hit(), hit(), shared.hits]);
let total = 0;
const add = (n: number): number => (total += n);
await trip("a module variable that several functions write", () => [add(2), add(3), total]);

// Scopes
function makeCounter(start: number): () => number {
  let n = start;
  return () => ++n;
}
await trip("closure state is copied", makeCounter(5));
const adders = [1, 2].map((n) => (x: number) => x + n);
await trip("two closures of one text", (x: number) => adders.map((f) => f(x)), 10);
const loops: (() => number)[] = [];
for (let i = 0; i < 3; i++) loops.push(() => i);
await trip("loop variables", () => loops.map((f) => f()));
function scopes(a: number, b = a + 1): () => number[] {
  const list = [a, b];
  {
    const block = 7;
    try {
      throw new Error("8");
    } catch (caught) {
      return () => [...list, block, Number((caught as Error).message)];
    }
  }
}
await trip("block, catch and parameter scopes", scopes(5));
function makeMutual(): (n: number) => boolean {
  const even = (n: number): boolean => n === 0 || odd(n - 1);
  const odd = (n: number): boolean => n !== 0 && even(n - 1);
  return even;
}
await trip("mutual recursion inside a function", makeMutual(), 7);
function makeRecursive(): (n: number) => number {
  const down = (n: number): number => (n === 0 ? 0 : 1 + down(n - 1));
  return down;
}
await trip("self recursion inside a function", makeRecursive(), 7);
await trip(
  "a named function expression",
  function sum(n: number): number {
    return n === 0 ? 0 : n + sum(n - 1);
  },
  4,
);
let replaced = function original(): string {
  return "original";
};
const first = replaced;
replaced = () => `wrapped ${first()}`;
await trip("a variable that was set again", () => replaced());
await trip("shadowed names", (constant: number) => [constant, ((hoisted: string) => hoisted)("inner")], 99);
await trip("typeof of a name that does not exist", () => typeof notDeclaredAnywhere);

// Imports
await trip("a named import", () => [double(2), shown(3), arrow(4)]);
await trip("a default import", (x: number) => defaultExport(x), 1);
await trip("a namespace import", () => live.double(21));
await trip("live bindings", () => [counter, increment(2), counter]);
await trip("imports of Node", () => [path.basename("/a/b"), joinPath("a", "b"), typeof readFileSync, typeof fs.statSync]);
await trip("a JSON import", () => settings.greeting);
await trip("an exported function, by reference", double, 4);
await trip("an exported arrow, by reference", arrow, 4);
await trip("a default export, by reference", defaultExport, 4);
await trip("an exported class, by reference", Shape, 3);
await trip("a renamed export, by reference", shown, 4);
await trip("an unexported function of a module, by reference", giveUnexported(), 4);
await trip("a closure made by a module", makeAdder(3), 4);
await trip("a closure over a module's own connection", makeQuery("select"));
const query = makeQuery("insert");
await trip("a closure and a function that share a module's state", () => {
  setLimits(50, 60);
  return query().slice(1, 3);
});
setLimits(10, 3);
const write = makeWriter();
const both = makeQuery("both");
refused("one closure reads a module's variable, another writes it", () => [write(), both()], { reason: "share this variable" });
await trip("an imported class", () => new Shape(3).area);
await trip("import()", async () => (await import("./modules/live.ts")).double(8));
await trip("import.meta", () => [import.meta.url, import.meta.dirname, import.meta.filename]);
const require = createRequire(import.meta.url);
await trip("createRequire", () => (require("./modules/library.cjs") as { triple(x: number): number }).triple(4));
const library = require("./modules/library.cjs") as {
  triple(x: number): number;
  useInner(): Function;
  makeQuery(text: string): () => string;
  table: { rows: number[]; sum(): number };
};
// oxlint-disable-next-line typescript/unbound-method -- such code is what is tested
await trip("an export of CommonJS, by identity", library.triple, 5);
await trip("an inner function of CommonJS", library.useInner(), 5);
await trip("a closure over a CommonJS module's own connection", library.makeQuery("select"));
await trip("module.exports as a value", () => [library.table.rows, library.table.sum()]);

// Classes
class Base {
  static made = 0;
  static #secret = 5;
  #x = 1;
  readonly y = constant;
  get x(): number {
    return this.#x;
  }
  set x(value: number) {
    this.#x = value;
  }
  static create(): Base {
    Base.made++;
    return new Base();
  }
  static secret(): number {
    return ++Base.#secret;
  }
  #hidden(): string {
    return "hidden";
  }
  describe(): unknown {
    return [this.x, this.y, this.#hidden(), #x in this];
  }
}
Base.create();
class Derived extends Base {
  z = this.y + 1;
  static {
    Object.assign(Derived, { fromBlock: "block" });
  }
  override describe(): unknown {
    this.x = 9;
    return [super.describe(), this.z, (Derived as unknown as { fromBlock: string }).fromBlock, Derived.made];
  }
}
await trip("a class", Base);
await trip("a derived class", Derived);
await trip("static members", () => [Base.made, Base.secret(), Base.create().x, Base.made]);
await trip("private static state", () => Base.secret());
const mixin = (Parent: typeof Base) =>
  class Mixed extends Parent {
    mixed = "mixed";
  };
class WithMixin extends mixin(Base) {
  override describe(): unknown {
    return [this.mixed, super.describe()];
  }
}
await trip("a class over an expression", WithMixin);
class Countdown extends Array<number> {
  last(): number {
    return this.at(-1) as number;
  }
}
class Registry extends Map<string, number> {
  total(): number {
    return [...this.values()].reduce((sum, each) => sum + each, 0);
  }
}
class OwnError extends Error {
  readonly code: string = "OWN";
}
const registry = new Registry([
  ["a", 1],
  ["b", 2],
]);
await trip("subclasses of built-ins", () => {
  const list = new Countdown();
  list.push(3, 2, 1);
  return [list.last(), registry.total(), registry instanceof Map, list.length];
});
await trip("an error of one's own", () => {
  const error = new OwnError("own");
  return [error instanceof Error, error.code, String(error)];
});
const keys = { name: `computed${constant}`, [Symbol.iterator]: 1 };
class Computed {
  [keys.name](): string {
    return "by computed key";
  }
  static [`static${constant}`](): string {
    return "static by computed key";
  }
  *[Symbol.iterator](): Generator<number> {
    yield 1;
  }
  describe(): unknown {
    return [
      (this as unknown as Record<string, () => string>).computed3?.(),
      [...this],
      (Computed as unknown as Record<string, () => string>).static3?.(),
    ];
  }
}
await trip("computed keys", Computed);
class Point {
  x: number;
  y: number;
  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
  norm(): number {
    return Math.hypot(this.x, this.y);
  }
}
const point = new Point(3, 4);
await trip("an instance of a class", () => [point.norm(), point instanceof Point]);
class Single {
  static readonly instance = new Single();
  value = 5;
}
await trip("an instance kept in a static field", () => Single.instance.value + (Single.instance instanceof Single ? 1 : 0));
function OldStyle(this: { v: number }, v: number): void {
  this.v = v;
}
(OldStyle.prototype as { double: unknown }).double = function (this: { v: number }): number {
  return this.v * 2;
};
await trip("a constructor function with methods", () => {
  const made = new (OldStyle as unknown as new (v: number) => { double(): number })(4);
  return [made.double(), made instanceof OldStyle];
});
const anonymous = class {
  describe(): string {
    return anonymous.name;
  }
};
await trip("an anonymous class", anonymous);

// Methods and other kinds of functions
const object = {
  base: 10,
  method(x: number): number {
    return x + constant;
  },
  async later(x: number): Promise<number> {
    return (await Promise.resolve(x)) + constant;
  },
  *items(): Generator<number> {
    yield constant;
    yield this?.base ?? 0;
  },
  [`computed${constant}`]: (): string => "arrow",
  [keys.name](): string {
    return "computed method";
  },
  get accessor(): number {
    return this.base + 1;
  },
  set accessor(value: number) {
    this.base = value;
  },
};
// oxlint-disable-next-line typescript/unbound-method -- such code is what is tested
await trip("a method", object.method, 2);
// oxlint-disable-next-line typescript/unbound-method -- such code is what is tested
await trip("an async method", object.later, 2);
await trip("a method with a computed key", object.computed3);
await trip("an object with methods and accessors", () => {
  object.accessor = 20;
  return [object.accessor, object.method(1), [...object.items()]];
});
await trip("a method of a class", Point.prototype.norm.bind({ x: 6, y: 8 }));
await trip("a static method", Base.secret.call.bind(Math.max, null) as () => number, 3, 4);
await trip("a getter", Object.getOwnPropertyDescriptor(object, "accessor")?.get?.bind({ base: 1 }) as () => number);
await trip(
  "a generator",
  function* (n: number): Generator<number> {
    for (let i = 0; i < n; i++) yield i * constant;
  },
  3,
);
await trip(
  "an async generator",
  async function* (n: number): AsyncGenerator<number> {
    for (let i = 0; i < n; i++) yield i * constant;
  },
  3,
);
await trip("an async function", async (x: number) => (await Promise.resolve(x)) * 2, 21);
await trip("defaults that capture", (a = constant, b = later(a)) => [a, b]);
const tag = (strings: TemplateStringsArray, ...values: number[]): string => strings.raw.join("|") + values.join();
await trip("tagged templates", () => tag`a${constant}b\n${2}`);
const bound = later.bind(null, 7);
await trip("bound functions", bound);
await trip("bound over this", object.method.bind({ base: 5 }), 1);
const decorated = Object.assign((x: number): number => x + decorated.offset, { offset: 100 });
await trip("a function with properties", decorated, 1);
await trip(
  "destructuring and optional chains",
  ({ a: { b = constant } = {} }: { a?: { b?: number } }) => [b, config?.nested?.list.length],
  {},
);
await trip("labels and loops", () => {
  const out: number[] = [];
  outer: for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      if (j === 1) continue outer;
      else out.push(i * 10 + j);
  return out;
});
await trip("an error keeps its kind", () => {
  throw new RangeError("no");
});

// Values
const key = { id: 1 };
const weak = new WeakMap<object, string>([
  [key, "weak"],
  [{}, "unreachable"],
]);
const marks = new WeakSet<object>([key]);
await trip("WeakMap and WeakSet", () => [weak.get(key), marks.has(key)]);
const bytes = new Uint8Array([1, 2, 3, 4]);
const window = bytes.subarray(1, 3);
await trip("views of one buffer", () => {
  window[0] = 9;
  return [...bytes];
});
await trip(
  "a Buffer",
  (
    (buffer: Buffer) => () =>
      buffer.toString()
  )(Buffer.from("small buffer")),
);
const sym = Symbol("own");
const symbols = { [sym]: 1, [Symbol.for("registered")]: 2 };
await trip("symbols", () => [symbols[sym], symbols[Symbol.for("registered")], sym.description]);
const values = {
  date: new Date(5),
  re: /a+/gi,
  big: 10n,
  nan: Number.NaN,
  zero: -0,
  // oxlint-disable-next-line no-sparse-arrays -- such code is what is tested
  hole: [1, , 3],
  undef: undefined,
  set: new Set([1]),
  nothing: null,
};
await trip("values of every kind", () => values);
const odd = Object.freeze(
  Object.create(null, { hidden: { value: 1 }, run: { value: () => "ran", enumerable: true } }) as { hidden: number; run(): string },
);
await trip("null prototype, hidden and frozen", () => [odd.hidden, odd.run(), Object.isFrozen(odd), Object.getPrototypeOf(odd) === null]);
const failure = Object.assign(new TypeError("captured", { cause: new Error("inner") }), { extra: () => 1 });
await trip("an error with a cause", () => [
  failure.message,
  failure instanceof TypeError,
  (failure.cause as Error).message,
  failure.extra(),
]);
const url = new URL("http://example.com/a?b=1");
await trip("a URL", () => [url.href, url instanceof URL]);
const coder = new TextEncoder();
await trip("a TextEncoder", () => coder.encode("ab"));
const emitter = new EventEmitter();
await trip("an EventEmitter", () => emitter.listenerCount("x"));
const { max } = Math;
await trip("built-in functions", () => [max(1, 2), [3, 1].map(String)]);
const listeners = new Set([() => "in a set"]);
await trip("functions in collections", () => [...listeners].map((f) => f()));
let deep: { next?: unknown } = {};
for (let i = 0; i < 20_000; i++) deep = { next: deep };
await trip("20,000 levels", () => {
  let n = 0;
  for (let at: unknown = deep; at !== undefined; at = (at as { next?: unknown }).next) n++;
  return n;
});
await trip("globals", () => [typeof fetch, typeof structuredClone, typeof process.pid, new Intl.NumberFormat("en").format(1234)]);
await trip("positions in traces", () => new Error("here").stack?.split("\n")[1]?.replace(/.*\(|\)$|\s+at /g, ""));

// What cannot travel
class Owner extends Point {
  value = 1;
  arrow = (): number => this.value;
  #private = 1;
  usesPrivate(): () => number {
    return () => this.#private;
  }
  outer(): () => number {
    return () => this.value;
  }
  callsSuper(): () => number {
    return () => super.norm();
  }
}
const owner = new Owner(1, 2);
refused("an arrow over this", owner.outer(), { reason: "`this`" });
refused("an arrow in a field", owner.arrow, { reason: "`this`" });
refused("an arrow over super", owner.callsSuper(), { reason: "super" });
refused("a private instance", () => owner, { reason: "private members (#private)", path: "(anonymous) -> owner" });
refused(
  "outer arguments",
  (function (..._args: number[]) {
    return () => arguments.length;
  })(1),
  { reason: "arguments" },
);
refused(
  "outer new.target",
  new (
    function (this: { f: unknown }) {
      this.f = () => new.target;
    } as unknown as new () => { f: Function }
  )().f,
  { reason: "new.target" },
);
// oxlint-disable-next-line no-eval -- such code is what is tested
refused("direct eval", () => eval("constant") as unknown, { reason: "eval" });
const proxy = new Proxy({}, {});
const holder = { pool: { proxy } };
refused("a Proxy", () => holder, { reason: "Proxy", path: "(anonymous) -> holder -> pool -> proxy" });
const promise = Promise.resolve(1);
refused("a promise", () => promise, { reason: "promise" });
const timer = setTimeout(() => {}, 0);
refused("a timer", () => timer, { reason: "timer" });
const sharedMemory = new SharedArrayBuffer(8);
const sharedView = new Int32Array(sharedMemory);
refused("shared memory", () => sharedMemory, { reason: "shared between threads" });
refused("a view of shared memory", () => sharedView, { reason: "shared between threads" });
const iterator = [1, 2][Symbol.iterator]();
refused("an iterator", () => iterator, { reason: "iterator" });
const running = (function* () {
  yield 1;
})();
refused("a running generator", () => running, { reason: "generator" });
const weakRef = new WeakRef({});
refused("a WeakRef", () => weakRef, { reason: "WeakRef" });
const stream = process.stdout;
refused("a stream", () => stream, { reason: "belongs to this process" });
const controller = new AbortController();
refused("an abort signal", () => controller.signal, { reason: "Abort" });
function sharing(): { read: () => number; write: () => number } {
  let n = 0;
  return { read: () => n, write: () => ++n };
}
const pair = sharing();
refused("a shared variable that is written", () => [pair.read(), pair.write()], { reason: "share this variable" });
refused("a variable that is not initialised", () => tooLate, { reason: "not initialised yet", path: "(anonymous) -> tooLate" });
const tooLate = 1;
refused(
  "the own name of a function around",
  (function outerName() {
    return () => outerName;
  })(),
  { reason: "own name of a function expression" },
);
// oxlint-disable-next-line typescript/no-implied-eval -- such code is what is tested
refused("a name that does not exist", new Function("return doesNotExist"), { reason: "no variable of that name" });
const instanceKey = {
  get key() {
    return "k";
  },
};
class InstanceComputed {
  [instanceKey.key] = 1;
}
refused("a computed field", InstanceComputed, { reason: "computed" });

declare const notDeclaredAnywhere: unknown;
finish();
