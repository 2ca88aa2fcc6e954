import assert from "node:assert/strict";
import { test } from "node:test";
import { runSetupHook } from "./setup-hook.ts";

const ran: string[] = [];
Object.assign(globalThis, { setupHookRan: (what: string) => ran.push(what) });

/** A module that says when it is imported. */
function source(name: string, text: string): string {
  return `data:text/javascript,${encodeURIComponent(`globalThis.setupHookRan("${name}"); ${text}`)}`;
}

test("a set-up hook: the export that is named, the default export of a module alone, or its import", async () => {
  await runSetupHook(`${source("named", 'export function setUp() { globalThis.setupHookRan("setUp"); } export default () => {};')}#setUp`);
  await runSetupHook(source("alone", 'export default async () => globalThis.setupHookRan("default"); export function other() {}'));
  await runSetupHook(source("imported", "export const level = 3;"));
  assert.deepEqual(ran.splice(0), ["named", "setUp", "alone", "default", "imported"]);
});

test("a set-up hook: a module whose functions all have names needs one of them", async () => {
  const module = source("unnamed", "export function setUp() {} export function tearDown() {}");
  await assert.rejects(runSetupHook(module), {
    message: `${module} has no function as its default export; its functions: setUp, tearDown; say which to run, as ${module}#setUp`,
  });
});
