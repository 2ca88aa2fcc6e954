/** What must be true of the repository's files as such. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

type Manifest = {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: unknown;
  readonly [key: string]: unknown;
};

test("no file names a folder of the machine it was written on", () => {
  const machineFolders = new RegExp(
    `(^|[\\s"'\`(=:])(${[root, homedir()]
      .filter((folder) => folder !== "/")
      .map(escape)
      .join("|")})(/[\\w.-]+)`,
    "m",
  );
  const found = textFiles().flatMap(([file, text]) => {
    const match = machineFolders.exec(text);
    return match === null ? [] : [`${file}: ${match[0].trim()}`];
  });
  assert.deepEqual(found, []);
});

test("the lockfile names no registry, so that it works with any", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string; link?: boolean }>;
  };
  const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined && entry.link !== true);
  assert.deepEqual(
    resolved.map(([path]) => path),
    [],
  );
});

test("every version of a dependency is exact", () => {
  for (const file of manifests()) {
    const manifest = readManifest(file);
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const [name, version] of Object.entries((manifest[kind] ?? {}) as Record<string, string>)) {
        assert.match(version, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+[\w.-]*$/, `${file}: ${name}`);
      }
    }
  }
});

test("in the checkout every package is its sources", () => {
  for (const file of manifests().filter((name) => name.startsWith("packages/"))) {
    assert.doesNotMatch(
      JSON.stringify(readManifest(file).exports ?? ""),
      /dist/,
      `${file} was left as it is published; run: node tools/publish.ts restore`,
    );
  }
});

test("every script of the root makes the checkout ready first", () => {
  for (const [name, command] of Object.entries(readManifest("package.json").scripts ?? {})) {
    assert.match(command, /^node tools\/ready\.mjs (node|biome|tsc) /, name);
  }
});

/** Tracked and new files; an exported tree without git has nothing to say here. */
function textFiles(): (readonly [file: string, text: string])[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  return listed
    .split("\0")
    .filter((file) => file !== "" && existsSync(join(root, file)))
    .map((file) => [file, readFileSync(join(root, file), "latin1")] as const)
    .filter(([, text]) => !text.includes("\0"));
}

function manifests(): string[] {
  return [
    "package.json",
    "examples/package.json",
    ...["core", "raia", "cli", "testing"].map((name) => `packages/${name}/package.json`),
  ].filter((file) => existsSync(join(root, file)));
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
