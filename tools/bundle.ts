/**
 * Gathers the JavaScript of a package in few files. Node needs most of a millisecond for each module of a process, whatever is
 * in it, and a start waits for three processes; the declarations that TypeScript wrote stay as they are.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build as esbuild, type OutputFile, type Plugin } from "esbuild";

/**
 * The files that others name: doors, programs, and modules whose functions are sent by reference. What several of them use is
 * split off into `parts/`, so a process has each module once, whichever doors it takes.
 */
const doorsOf: Readonly<Record<string, readonly string[]>> = {
  "@raia/core": ["index", "cluster", "internal", "bin/head-main", "bin/worker-main", "bin/thread-host-main", "api/queue-actor"],
};
/** What runs by itself, a thread or a process: to share files with the others would only split those into more of them. */
const apartOf: Readonly<Record<string, readonly string[]>> = {
  "@raia/core": ["bin/control-main", "control/sqlite-thread", "gateway/gateway-thread"],
};

/** @param folder of a package whose `dist` holds what `tsc` made of it. A package without doors stays as it is. */
export async function bundle(folder: string, name: string): Promise<void> {
  const doors = doorsOf[name];
  if (doors === undefined) return;
  const dist = join(folder, "dist");
  const groups = [doors, ...(apartOf[name] ?? []).map((program) => [program])];
  const outputs = await Promise.all(groups.map((group) => gather(folder, group)));
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) if (file.endsWith(".js")) rmSync(join(dist, file));
  for (const { path, contents } of outputs.flat()) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
}

async function gather(folder: string, doors: readonly string[]): Promise<readonly OutputFile[]> {
  const { outputFiles } = await esbuild({
    absWorkingDir: folder,
    entryPoints: doors.map((door) => `src/${door}.ts`),
    outbase: "src",
    outdir: "dist",
    bundle: true,
    splitting: true,
    // One level deep, like the sources: a program is named from there as `../bin/head-main.js`.
    chunkNames: "parts/[name]-[hash]",
    plugins: [builtinModules(join(folder, "src"))],
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js: versionCheck(folder) },
    write: false,
    logLevel: "warning",
    // Of modules that a program names; they stay as they are.
    logOverride: { "unsupported-dynamic-import": "silent" },
  });
  return outputFiles;
}

/**
 * Stands first in each file, and so in the one that is run first, whichever that is: an older Node.js would fail at some function that
 * it has not.
 */
function versionCheck(folder: string): string {
  const { engines } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { engines: { node: string } };
  const oldestMajor = Number(engines.node.replace(">=", ""));
  const text = `"Node.js " + process.versions.node + " is too old; Raia runs on ${oldestMajor} and newer"`;
  return `if (parseInt(process.versions.node, 10) < ${oldestMajor}) throw new Error(${text});`;
}

/**
 * Takes from Node's own modules what the sources name. An `import` of one makes an ES module with all its names first, which for
 * `fs` alone loads 40 modules more (7 ms of each process).
 */
function builtinModules(sources: string): Plugin {
  return {
    name: "builtin modules",
    setup: (build) => {
      const names = importedNames(sources);
      build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin" }));
      build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
        contents: [
          `const builtin = process.getBuiltinModule(${JSON.stringify(path)});`,
          "export default builtin;",
          `export const { ${[...(names.get(path) ?? [])].join(", ")} } = builtin;`,
        ].join("\n"),
      }));
    },
  };
}

/** What is imported by name from each module of Node, anywhere in the sources. */
function importedNames(sources: string): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || /\.(?:test|bench)\.ts$/.test(file)) continue;
    const imports = readFileSync(join(sources, file), "utf8").matchAll(
      /^import (?!type\b)(?:\w+,? ?)?(?:\{([^}]*)\})? ?from "(node:[^"]+)";/gm,
    );
    for (const [, list = "", module = ""] of imports) {
      const known = names.get(module) ?? new Set<string>();
      for (const part of list.split(",").map((text) => text.trim())) {
        if (part !== "" && !part.startsWith("type ")) known.add(part.replace(/ as .*/, ""));
      }
      names.set(module, known);
    }
  }
  return names;
}
