/**
 * What users install: the tarballs of `npm pack`, in an empty project outside the repository, on the oldest and the
 * pinned Node.js. Packing changes the manifests for a moment, so it happens in a copy of the checkout.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { npmEnvironment, quietly } from "../../../tools/npm.mjs";

const run = promisify(execFile);
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** The oldest Node.js that Raia runs on. Fetched into the checkout's .tools folder once. */
const oldestNode = "24.21.0";
/** Longer than a program of a few tasks can take on a busy machine; a hanging one ends here. */
const programTimeoutMs = 60_000;
const published = ["core", "raia", "cli"];

const needed = ["README.md", "packages/core/src/index.ts", "packages/raia/src/index.ts", "packages/cli/src/main.ts"];
const missing = needed.filter((path) => !existsSync(join(root, path)));

describe("packed and installed in an empty project", { skip: missing.length > 0 && `not there: ${missing.join(", ")}` }, () => {
  let folder = "";
  let project = "";

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "raia-pack-"));
    project = join(folder, "project");
    const tarballs = await pack(join(folder, "checkout"));
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "example", private: true, type: "module" }));
    await run("npm", ["install", "--prefer-offline", ...quietly, ...tarballs], {
      cwd: project,
      env: npmEnvironment(dirname(process.execPath)),
    });
    writeFileSync(join(project, "example.ts"), firstExample(readFileSync(join(root, "README.md"), "utf8")));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  test("only what runs is in the tarballs", () => {
    for (const name of ["raia", "@raia/core", "@raia/cli"]) {
      const files = readdirSync(join(project, "node_modules", name), { recursive: true, encoding: "utf8" });
      assert.ok(files.includes("LICENSE"), `${name} has no LICENSE`);
      const strays = files.filter(
        (file) => /(^src\b|\.test\.|\.bench\.|tsbuildinfo|^test\b)/.test(file) || (file.endsWith(".ts") && !file.endsWith(".d.ts")),
      );
      assert.deepEqual(strays, [], name);
    }
  });

  test("each program of the engine is in few files, and a queue's actor, which workers import, is among them", async () => {
    const dist = join(project, "node_modules/@raia/core/dist");
    for (const program of ["index.js", "bin/head-main.js", "bin/control-main.js", "bin/worker-main.js"]) {
      const { size } = filesOf(join(dist, program));
      assert.ok(size < 40, `${program}: ${size} files, and a process needs most of a millisecond for each`);
    }
    const program = `
      import { Queue, shutdown } from "raia";
      const queue = new Queue();
      await queue.put("first");
      console.log(await queue.get());
      await shutdown();`;
    const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: project });
    assert.deepEqual({ stdout, stderr }, { stdout: "first\n", stderr: "" });
  });

  test("a Node.js that is too old is told so, by whichever door", async () => {
    const versions = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.11.0" } })`;
    for (const door of ["raia", "@raia/core", "@raia/core/cluster"]) {
      const old = ["--import", `data:text/javascript,${versions}`, "--input-type=module", "-e", `import "${door}"`];
      await assert.rejects(run(process.execPath, old, { cwd: project }), {
        code: 1,
        stderr: /^Error: Node\.js 20\.11\.0 is too old; Raia runs on 24 and newer$/m,
      });
    }
  });

  test("the declarations type-check the README's example", async () => {
    mkdirSync(join(project, "node_modules/@types"), { recursive: true });
    symlinkSync(join(root, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    const compilerOptions = {
      noEmit: true,
      strict: true,
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      types: ["node"],
      skipLibCheck: true,
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["example.ts"] }));
    await run(join(root, "node_modules/.bin/tsc"), ["-p", project]).catch(rethrowWithOutput);
  });

  for (const [name, nodeBinary] of [
    [`Node.js ${oldestNode}`, fetchOldestNode] as const,
    [`Node.js ${process.versions.node}`, () => Promise.resolve(process.execPath)] as const,
  ]) {
    test(`the README's example runs on ${name}`, async () => {
      const node = await nodeBinary();
      const env = { ...process.env, PATH: `${dirname(node)}:${process.env["PATH"] ?? ""}` };
      const { stderr } = await run(node, ["example.ts"], { cwd: project, env, timeout: programTimeoutMs }).catch(rethrowWithOutput);
      assert.equal(stderr, "");
    });

    test(`the raia command runs on ${name}`, async () => {
      const node = await nodeBinary();
      const { stdout } = await run(node, ["node_modules/@raia/cli/bin/raia.js", "--help"], {
        cwd: project,
        timeout: programTimeoutMs,
      }).catch(rethrowWithOutput);
      assert.match(stdout, /^Usage: raia/);
      const raia = async (...args: string[]): Promise<string> => {
        const environment = { ...process.env, RAIA_TMPDIR: folder };
        return (
          await run(node, ["node_modules/@raia/cli/bin/raia.js", ...args], { cwd: project, env: environment, timeout: programTimeoutMs })
        ).stdout;
      };
      await raia("start", "--head", "--num-cpus", "1");
      assert.match(await raia("status"), /^CPU +0 +1$/m);
      assert.match(await raia("stop"), /^Stopped process/);
    });
  }
});

/** Packs the published packages in a copy of the checkout. Returns the tarballs. */
async function pack(copy: string): Promise<string[]> {
  mkdirSync(copy);
  for (const file of [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "LICENSE",
    "README.md",
    "tsconfig.base.json",
    "tsconfig.build.json",
    "tools",
  ]) {
    cpSync(join(root, file), join(copy, file), { recursive: true });
  }
  const isBuilt = /[\\/](node_modules|dist|test)$/;
  cpSync(join(root, "packages"), join(copy, "packages"), { recursive: true, filter: (path) => !isBuilt.test(path) });
  linkDependencies(join(copy, "node_modules"), copy);
  const destination = join(copy, "tarballs");
  mkdirSync(destination);
  const workspaces = published.flatMap((name) => ["-w", `packages/${name}`]);
  await run("npm", ["pack", "--pack-destination", destination, ...workspaces], {
    cwd: copy,
    env: npmEnvironment(dirname(process.execPath)),
  }).catch(rethrowWithOutput);
  return readdirSync(destination).map((name) => join(destination, name));
}

/** A node_modules whose third-party packages are the checkout's, and whose workspaces are the copy's own. */
function linkDependencies(modules: string, copy: string): void {
  mkdirSync(join(modules, "@raia"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "raia" && name !== "@raia") symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  symlinkSync(join(copy, "packages/raia"), join(modules, "raia"));
  for (const name of ["core", "cli"]) symlinkSync(join(copy, "packages", name), join(modules, "@raia", name));
}

function firstExample(readme: string): string {
  const block = /^```ts[^\n]*\n(.*?)^```$/ms.exec(readme)?.[1];
  assert.ok(block !== undefined, "README.md has no ts block");
  return block;
}

async function fetchOldestNode(): Promise<string> {
  const folder = join(root, ".tools", "node", oldestNode);
  const binary = join(folder, "node_modules/.bin/node");
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const spec = `node-${process.platform}-${process.arch}@${oldestNode}`;
  await run("npm", ["install", "--prefix", folder, "--no-save", ...quietly, spec], {
    cwd: folder,
    env: npmEnvironment(dirname(process.execPath)),
  });
  return binary;
}

/** What a program printed is the reason why it failed. */
function rethrowWithOutput(error: Error & { stdout?: string; stderr?: string }): never {
  throw new Error(`${error.message}\n${error.stdout ?? ""}\n${error.stderr ?? ""}`, { cause: error });
}

/** A built file and all that it imports, be it later. */
function filesOf(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  const imports = readFileSync(path, "utf8").matchAll(/(?:from|import|import\()\s*"(\.[^"\s]+\.js)"/g);
  for (const [, specifier = ""] of imports) filesOf(resolve(dirname(path), specifier), found);
  return found;
}
