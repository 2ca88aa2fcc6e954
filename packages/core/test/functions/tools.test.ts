/** Functions of programs that a tool compiled, bundled or transforms on the way. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, suite, test } from "node:test";
import { build, type BuildOptions } from "esbuild";
import { preload, runWorld, worldsDirectory } from "./run-world.ts";

const require = createRequire(import.meta.url);
const world = (name: string): string => path.join(worldsDirectory, name);
const packageDirectory = (name: string): string => path.dirname(require.resolve(`${name}/package.json`));

// Inside node_modules, so that what is built here still finds the packages it needs.
const outDirectory = path.join(path.dirname(packageDirectory("esbuild")), ".cache", `raia-worlds-${process.pid}`);
mkdirSync(outDirectory, { recursive: true });
after(() => rmSync(outDirectory, { recursive: true, force: true }));

async function bundle(name: string, options: BuildOptions): Promise<string> {
  const outfile = path.join(outDirectory, name);
  await build({ bundle: true, platform: "node", target: "node24", outfile, logLevel: "error", ...options });
  return outfile;
}

/** The round trip as a library that test runners leave alone. */
const tripModule = await bundle("trip.mjs", {
  entryPoints: [path.join(import.meta.dirname, "trip.ts")],
  format: "esm",
  packages: "external",
});

function compile(target: string, module: string): string {
  const directory = path.join(outDirectory, `tsc-${target}-${module}`);
  const flags = [
    "--target",
    target,
    "--module",
    module,
    "--moduleResolution",
    "bundler",
    "--outDir",
    directory,
    "--rewriteRelativeImportExtensions",
  ];
  const compiler = path.join(packageDirectory("typescript7"), "bin/tsc");
  try {
    execFileSync(
      process.execPath,
      [compiler, ...flags, "--skipLibCheck", "--ignoreConfig", "--types", "node", "--noCheck", world("app/main.ts")],
      { cwd: worldsDirectory, encoding: "utf8" },
    );
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  }
  writeFileSync(path.join(directory, "package.json"), JSON.stringify({ type: module === "commonjs" ? "commonjs" : "module" }));
  return path.join(directory, "main.js");
}

suite("functions of programs that tools made", { concurrency: 2 }, () => {
  for (const [target, module] of [
    ["es2017", "commonjs"],
    ["es2022", "commonjs"],
    ["es2022", "es2022"],
  ] as const) {
    test(`tsc, ${target}, ${module}`, async (t) => await runWorld(t, { args: ["--import", preload, compile(target, module)] }));
  }

  for (const format of ["esm", "cjs"] as const) {
    for (const minify of [false, true]) {
      test(`an esbuild bundle, ${format}${minify ? ", minified" : ""}`, async (t) => {
        const file = await bundle(`bundle-${minify ? "min" : "plain"}.${format === "esm" ? "mjs" : "cjs"}`, {
          entryPoints: [world("app/main.ts")],
          format,
          minify,
        });
        await runWorld(t, { args: ["--import", preload, file] });
      });
    }
  }

  const tsx = path.join(packageDirectory("tsx"), "dist/cli.mjs");
  test("tsx", async (t) => await runWorld(t, { args: [tsx, "--import", preload, world("fixtures/uncompiled/tsx-main.ts")] }));
  test("tsx, CommonJS", async (t) => await runWorld(t, { args: [tsx, "--import", preload, world("fixtures/uncompiled/tsx-main.cts")] }));
  test("node --import tsx", async (t) => {
    await runWorld(t, { args: ["--import", "tsx", "--import", preload, world("fixtures/uncompiled/tsx-main.ts")] });
  });

  const vitest = path.join(packageDirectory("vitest"), "vitest.mjs");
  for (const pool of ["forks", "threads", "vmThreads"]) {
    test(`vitest, ${pool}`, async (t) => {
      const args = [vitest, "run", "--config", world("fixtures/uncompiled/vitest.config.ts"), "--pool", pool];
      await runWorld(t, { args, env: { TRIP_MODULE: tripModule }, cwd: world("fixtures/uncompiled") });
    });
  }

  const jest = path.join(packageDirectory("jest"), "bin/jest.js");
  test("Jest, ES modules", async (t) => {
    const args = ["--experimental-vm-modules", "--no-warnings", jest, "-i", "--config", jestConfig("jest-world.mjs")];
    await runWorld(t, { args, env: { TRIP_MODULE: tripModule }, cwd: world("fixtures/uncompiled") });
  });
});

function jestConfig(file: string): string {
  return JSON.stringify({
    rootDir: world("fixtures/uncompiled"),
    testMatch: [`<rootDir>/${file}`],
    transform: {},
    moduleFileExtensions: ["mjs", "cjs", "js"],
    watchman: false,
  });
}
