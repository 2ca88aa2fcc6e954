// Given to Node with -e and on standard input. trip and finishTrips are globals from the preload.
import { basename } from "node:path";
import { double } from "./modules/live.ts";
const base: number = 4;
let written = 0;
const bump = (): number => ++written;
class Thing {
  n: number = base;
  describe(): unknown {
    return this.n;
  }
}
await trip("a constant", (x: number) => x * base, 2);
await trip("an import of Node", () => basename("/a/b"));
await trip("a relative import", () => double(4));
await trip("an imported function", double, 4);
await trip("a written variable", () => [bump(), bump(), written]);
await trip("a class", Thing);
await trip("import()", async () => (await import("./modules/live.ts")).double(3));
await trip("a generator", function* () {
  yield base;
});
const weak = new WeakMap([[Thing, 1]]);
await trip("a WeakMap", () => weak.get(Thing));
finishTrips();
