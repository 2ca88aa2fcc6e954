// A CommonJS program as the entry, sloppy. trip, refused and finishTrips are globals from the preload.
const fs = require("node:fs");
const path = require("path");
const library = require("./modules/library.cjs");
const { triple } = library;
// oxlint-disable-next-line no-var -- such code is what is tested
var sloppy = 5;
let written = 0;
const bump = () => ++written;
exports.own = () => sloppy;
exports.callsOwn = () => exports.own() + 1;
class Thing {
  #n = sloppy;
  describe() {
    return [this.#n, path.sep];
  }
}
function usesThis() {
  return typeof this;
}
function usesGlobalThis() {
  return this === globalThis;
}
function assignsArguments(a) {
  arguments[0] = 9;
  return a;
}
function octal() {
  return 010;
}
void (async () => {
  await trip("variables", () => [sloppy, path.basename("/x/y")]);
  await trip("a variable that is written", () => [bump(), bump(), written]);
  await trip("an export of another module, by identity", triple, 4);
  await trip("an inner function of another module", library.useInner(), 4);
  await trip("another module's exports", () => [library.triple(2), library.table.sum()]);
  await trip("a module of Node", () => typeof fs.readFileSync);
  await trip("a function of a module of Node", path.basename, "/a/b");
  await trip("require", () => require("./modules/library.cjs").triple(3));
  await trip("require of a name known later", (name) => require(name).triple(3), "./modules/library.cjs");
  await trip("__filename and __dirname", () => [__filename, __dirname]);
  await trip("import()", async () => (await import("./modules/live.ts")).double(4));
  await trip("a class", Thing);
  await trip("sloppy this", usesThis);
  await trip("sloppy this is the global", usesGlobalThis);
  await trip("sloppy arguments", assignsArguments, 1);
  await trip("octal", octal);
  await trip(
    "an inner strict function",
    (function () {
      "use strict";
      return () =>
        (function () {
          return typeof this;
        })();
    })(),
  );
  await trip("own exports", () => exports.callsOwn());
  for (const [name, fn] of [
    ["module.exports", () => module.exports.own()],
    ["module.filename", () => module.filename],
    ["module.require", () => module.require("node:path").sep],
    ["require.main", () => require.main === module],
  ])
    refused(name, fn, { path: "(anonymous) -> module", reason: "`module` of a CommonJS file" });
  refused("this at the top", () => this, { reason: "`this`" });
  refused("arguments of the wrapper", () => arguments.length, { reason: "arguments" });
  finishTrips();
})();
