// Given to Node with -e as CommonJS.
const path = require("node:path");
const { triple } = require("./modules/library.cjs");
const base = 4;
let written = 0;
const bump = () => ++written;
void (async () => {
  await trip("a constant", (x) => x * base, 2);
  await trip("a module of Node", () => path.basename("/a/b"));
  await trip("a required function", triple, 2);
  await trip("a required function, captured", () => triple(2));
  await trip("require", () => require("./modules/library.cjs").triple(3));
  await trip("a written variable", () => [bump(), bump(), written]);
  await trip("import()", async () => (await import("./modules/live.ts")).double(3));
  await trip("__dirname", () => __dirname);
  finishTrips();
})();
