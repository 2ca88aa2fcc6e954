/**
 * The documentation is true: its programs compile and run, its commands exist, its links lead somewhere. The programs
 * are written into a folder that git ignores, inside the repository, so that `raia` is found from there.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readPage } from "./pages.ts";

const run = promisify(execFile);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const blocksFolder = join(root, "docs/.blocks");
/** A program of the documentation shows one thing; one that takes longer hangs. */
const programTimeoutMs = 60_000;

const pages = globSync(["*.md", "docs/**/*.md", "examples/**/*.md", "bench/**/*.md", "packages/*/*.md"], {
  cwd: root,
  exclude: (path) => /(^|[/\\])(node_modules|\.blocks)$/.test(path),
}).sort();
const contents = new Map(pages.map((page) => [page, readPage(readFileSync(join(root, page), "utf8"))]));
const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> }).scripts;
const commandLine = join(root, "packages/cli/bin/raia.js");
const hasCommandLine = existsSync(join(root, "packages/cli/src/main.ts"));

before(() => {
  rmSync(blocksFolder, { recursive: true, force: true });
  for (const [page, { programs }] of contents) {
    for (const { line, source } of programs) {
      mkdirSync(dirname(fileOf(page, line)), { recursive: true });
      writeFileSync(fileOf(page, line), source);
    }
  }
});

after(() => rmSync(blocksFolder, { recursive: true, force: true }));

const hasPrograms = [...contents.values()].some(({ programs }) => programs.length > 0);

test("every program type-checks", { skip: !hasPrograms }, async () => {
  writeFileSync(
    join(blocksFolder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.base.json", compilerOptions: { noEmit: true }, include: ["**/*.ts"] }),
  );
  await run(join(root, "node_modules/.bin/tsc"), ["-p", blocksFolder], { cwd: root }).catch(rethrowWithOutput);
});

for (const [page, { programs, commands, links }] of contents) {
  describe(page, () => {
    for (const { line, runs, output } of programs) {
      test(`the program in line ${line} runs`, { skip: !runs && "marked no-run" }, async () => {
        const file = fileOf(page, line);
        const { stdout } = await run(process.execPath, [file], { cwd: dirname(file), timeout: programTimeoutMs }).catch(rethrowWithOutput);
        if (output !== undefined) assert.equal(stdout, output);
      });
    }
    for (const command of new Set(commands)) {
      const skip = / raia /.test(` ${command} `) && !hasCommandLine && "the command line is not there";
      test(`the command exists: ${command}`, { skip }, () => checkCommand(command));
    }
    test("every link leads to a file", () => {
      const broken = links.filter((link) => !existsSync(join(root, link.startsWith("/") ? "" : dirname(page), decodeURIComponent(link))));
      assert.deepEqual(broken, []);
    });
    test("every file that it names exists", () => {
      assert.deepEqual(
        namedFiles(readFileSync(join(root, page), "utf8")).filter((file) => !isThere(file, dirname(page))),
        [],
      );
    });
    test("every npm script that it names exists", () => {
      const named = [...readFileSync(join(root, page), "utf8").matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name ?? "");
      assert.deepEqual(
        named.filter((name) => scripts[name] === undefined),
        [],
      );
    });
  });
}

test("a file that is not there is found out, in a path, by its name alone, and as a folder", () => {
  const text =
    "`tools/no-such.ts` and `no-such.md`, `no-such/`, but `tools/docs.test.ts`, `README.md`, `base/`, `a/b`, `x.ts`\n```\n`no/program.ts`\n```\n";
  assert.deepEqual(
    namedFiles(text).filter((file) => !isThere(file, "docs")),
    ["tools/no-such.ts", "no-such.md", "no-such/"],
  );
});

test("every error code is documented, in the words of the catalogue", async () => {
  const { errorCatalogue } = await import("../packages/core/src/base/errors.ts");
  const page = readFileSync(join(root, "docs/errors-and-failure.md"), "utf8");
  const rows = Object.entries(errorCatalogue).map(([code, [meaning, wayOut]]) => `| \`${code}\` | ${meaning} | ${wayOut} |`);
  assert.deepEqual(
    rows.filter((row) => !page.includes(row)),
    [],
  );
});

/** Made by programs, or examples of names. */
const notInCheckout = new Set(["dist/", "examples/flights/out/", "x.ts", "x.test.ts"]);

/** What stands in backticks and looks like a file or folder of the checkout, outside of programs. */
function namedFiles(text: string): string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/`([\w.@][\w.@/-]*)`/g)]
    .map(([, name]) => name as string)
    .filter((name) => /^[\w.@-]+\/([\w.@/-]*\.\w+|[\w@/-]*\/)?$|^\w[\w-]*(\.[\w-]+)*\.(ts|mjs|cjs|js|json|md|txt)$/.test(name))
    .filter((name) => !notInCheckout.has(name));
}

/** A path from the root, from the page, or from the engine's sources; a bare name anywhere. */
function isThere(name: string, folder: string): boolean {
  const bases = [
    root,
    join(root, folder),
    join(root, "packages/core"),
    join(root, "packages/core/src"),
    join(root, "packages/core/src/worker"),
  ];
  if (bases.some((base) => existsSync(join(base, name)))) return true;
  return !name.includes("/") && tracked().some((file) => file.endsWith(`/${name}`));
}

let trackedFiles: readonly string[] | undefined;

function tracked(): readonly string[] {
  trackedFiles ??= globSync("{packages,examples,bench,tools,docs}/**/*", { cwd: root, exclude: (path) => path.includes("node_modules") });
  return trackedFiles;
}

function fileOf(page: string, line: number): string {
  return join(blocksFolder, page.replace(/\.md$/, ""), `line-${line}.ts`);
}

/** Commands of this repository must exist; those of other programs (git, curl, docker) are not ours to check. */
async function checkCommand(command: string): Promise<void> {
  const words = command.split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word));
  const [program, ...args] = words[0] === "npx" ? words.slice(1) : words;
  if (program === "npm" && (args[0] === "run" || args[0] === "test")) {
    const name = args[0] === "run" ? args[1] : "test";
    const script = scripts[name ?? ""];
    assert.ok(script !== undefined, `package.json has no script ${name}`);
    for (const file of script.split(" ").filter((word) => /^[\w./-]+\.(ts|mjs|js)$/.test(word))) {
      assert.ok(existsSync(join(root, file)), `npm run ${name} runs ${file}, which does not exist`);
    }
  } else if (program === "node") {
    const file = args.find((arg) => !arg.startsWith("-"));
    const isOurs = file !== undefined && /^(examples|packages|bench|tools|docs)\//.test(file);
    assert.ok(!isOurs || existsSync(join(root, file)), `${file} does not exist`);
  } else if (program === "raia") {
    const name = args[0];
    if (name === undefined || name.startsWith("-")) return;
    const { stdout } = await run(process.execPath, [commandLine, "--help"], { timeout: programTimeoutMs });
    assert.match(stdout, new RegExp(`^\\s+${name}\\b`, "m"), `raia has no command ${name}`);
  }
}

/** What a program printed is the reason why it failed. */
function rethrowWithOutput(error: Error & { stdout?: string; stderr?: string }): never {
  throw new Error(`${error.message}\n${error.stdout ?? ""}\n${error.stderr ?? ""}`, { cause: error });
}
