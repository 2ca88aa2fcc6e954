/** tools/ready.mjs in a small checkout of its own, with an npm that only pretends to install and notes how it was called. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { beforeEach, afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";

const tools = dirname(fileURLToPath(import.meta.url));

/** What the pretended npm does: the pinned Node.js is this one, and an installation is a copy of the lockfile. */
const fakeNpm = `#!${process.execPath}
import fs from "node:fs";
import path from "node:path";
const args = process.argv.slice(2);
fs.appendFileSync(process.env.NPM_LOG, args.join(" ") + "\\n");
if (process.env.NPM_FAILS === args[0]) process.exit(7);
const prefix = args.includes("--prefix") ? args[args.indexOf("--prefix") + 1] : process.cwd();
const bin = path.join(prefix, "node_modules", ".bin");
fs.mkdirSync(bin, { recursive: true });
if (!fs.existsSync(path.join(bin, "node"))) fs.symlinkSync(process.execPath, path.join(bin, "node"));
if (!args.includes("--prefix")) fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json");
`;

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "raia-ready-"));
  mkdirSync(join(folder, "tools"));
  mkdirSync(join(folder, "path"));
  for (const name of ["ready.mjs", "npm.mjs"]) copyFileSync(join(tools, name), join(folder, "tools", name));
  copyFileSync(join(tools, "../package.json"), join(folder, "package.json"));
  writeLock("1.0.0");
  writeFileSync(join(folder, "path/npm"), fakeNpm, { mode: 0o755 });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a new checkout: the pinned Node.js alone first, then the lockfile, then the command", async () => {
  const { code, stdout } = await ready(["node", "-p", "process.argv.slice(1).join()", "--", "--chaos", "a b"]).ended;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "--chaos,a b\n" });
  const [bootstrap, install, ...more] = npmCalls();
  assert.match(bootstrap ?? "", /^install --prefix \S+ --no-save --ignore-scripts .*node-\S+@\d+\.\d+\.\d+$/);
  assert.match(install ?? "", /^ci --ignore-scripts/);
  assert.deepEqual(more, []);
});

test("the pinned Node.js comes first on the command's PATH", async () => {
  const { stdout } = await ready(["node", "-p", "process.env.PATH"]).ended;
  assert.equal(stdout.split(delimiter)[0], join(folder, "node_modules/.bin"));
});

test("a ready checkout calls no npm", async () => {
  await ready(["node", "-v"]).ended;
  const callsBefore = npmCalls().length;
  const { stderr } = await ready(["node", "-v"]).ended;
  assert.deepEqual([npmCalls().length, stderr], [callsBefore, ""]);
});

test("a changed lockfile is installed in place, so that running programs keep their files", async () => {
  await ready(["node", "-v"]).ended;
  writeLock("2.0.0");
  const { code } = await ready(["node", "-v"]).ended;
  assert.equal(code, 0);
  assert.match(npmCalls().at(-1) ?? "", /^install --no-save --ignore-scripts/);
});

test("what somebody installed by hand is taken as it is, if it is what the lockfile says", async () => {
  await ready(["node", "-v"]).ended;
  const callsBefore = npmCalls().length;
  rmSync(join(folder, "node_modules/.ready"));
  await ready(["node", "-v"]).ended;
  assert.equal(npmCalls().length, callsBefore);
});

test("two at once install once", async () => {
  const results = await Promise.all([ready(["node", "-v"]).ended, ready(["node", "-v"]).ended]);
  assert.deepEqual(
    results.map(({ code }) => code),
    [0, 0],
  );
  assert.equal(npmCalls().filter((call) => call.startsWith("ci ")).length, 1);
  assert.equal(existsSync(join(folder, ".tools/install.lock")), false);
});

test("the lock of a process that died is taken over", async () => {
  const dead = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => dead.once("close", resolve));
  mkdirSync(join(folder, ".tools"));
  writeFileSync(join(folder, ".tools/install.lock"), String(dead.pid));
  const { code } = await ready(["node", "-v"]).ended;
  assert.equal(code, 0);
});

test("a failed installation is an error with a way out, and is tried again next time", async () => {
  const failed = await ready(["node", "-v"], { NPM_FAILS: "ci" }).ended;
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /"npm ci" failed with exit code 7.*network.*registry/s);
  assert.equal(failed.stdout, "");
  const { code } = await ready(["node", "-v"]).ended;
  assert.equal(code, 0);
});

test("the command's exit code and its death by a signal come through", async () => {
  assert.equal((await ready(["node", "-e", "process.exit(42)"]).ended).code, 42);
  assert.equal((await ready(["node", "-e", "process.kill(process.pid, 'SIGKILL')"]).ended).code, 128 + 9);
});

test("SIGTERM reaches the command, which may still finish its work", async () => {
  const program =
    "process.on('SIGTERM', () => { console.log('tidy'); process.exit(3); }); setInterval(() => {}, 1000); console.log('started');";
  const { child, ended } = ready(["node", "-e", program]);
  child.stdout?.once("data", () => child.kill("SIGTERM"));
  const { code, stdout } = await ended;
  assert.deepEqual({ code, stdout }, { code: 3, stdout: "started\ntidy\n" });
});

test("a command that does not exist is named", async () => {
  const { code, stderr } = await ready(["no-such-command"]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /no-such-command did not start/);
});

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function ready(command: readonly string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ["tools/ready.mjs", ...command], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${join(folder, "path")}${delimiter}${process.env["PATH"] ?? ""}`,
      NPM_LOG: join(folder, "npm.log"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output }));
  });
  return { child, ended };
}

function npmCalls(): string[] {
  const log = join(folder, "npm.log");
  return existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
}

function writeLock(version: string): void {
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: { "": {}, "node_modules/some": { version } } }));
}
