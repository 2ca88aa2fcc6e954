/** One program for every tool that compiles, bundles or transforms. trip and finishTrips are globals from the preload. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { Animal, bumpPart, makeScaler, partName, partState, scale } from "./part.ts";

const base = 4;
let written = 0;
const bump = (): number => ++written;
const isEven = (n: number): boolean => n === 0 || isOdd(n - 1);
const isOdd = (n: number): boolean => n !== 0 && isEven(n - 1);
const point = {
  x: 1,
  get twice(): number {
    return this.x * 2;
  },
};
class Dog extends Animal {
  #age = base;
  static legs = 4;
  static #count = 3;
  override describe(): unknown {
    return [super.describe(), this.#age, Dog.legs, Dog.#count, this.later?.length];
  }
  async later(x: number): Promise<number> {
    await Promise.resolve();
    return x + this.#age;
  }
}

async function main(): Promise<void> {
  await trip("a constant", (x: number) => x * base, 2);
  await trip("a written variable", () => [bump(), bump(), written]);
  await trip("mutual recursion", isEven, 8);
  await trip("an imported function", scale, 4);
  await trip("imported functions and constants", () => [scale(2), partName]);
  await trip("live bindings", () => [bumpPart(), partState]);
  await trip("a closure made by a module", makeScaler(5), 1);
  await trip("modules of Node", () => [path.basename("/a/b"), typeof readFileSync]);
  await trip("a class over an imported one", Dog);
  await trip("an imported class", Animal);
  await trip("an async function", async (x: number) => (await Promise.resolve(x)) + base, 2);
  await trip(
    "an async generator",
    async function* (n: number): AsyncGenerator<number> {
      for (let i = 0; i < n; i++) yield i * base;
    },
    3,
  );
  await trip("spread and defaults", ({ a = base, ...rest }: { a?: number; b?: number }) => [a, rest, ...[1, 2]], { b: 3 });
  await trip("accessors", () => point.twice);
  await trip("optional chains", (x?: { y?: number }) => x?.y ?? base, {});
  finishTrips();
}
void main();
