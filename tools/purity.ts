/**
 * A file's last word says what it may do: `-machine`, `-policy`, `-table` and `-codec` decide and never touch the world.
 * The linter knows folders, not file names, so this is checked here: no module that does I/O, nothing asynchronous.
 */
import { stripTypeScriptTypes } from "node:module";
import { parseModule } from "meriyah";

const pureName = /-(machine|policy|table|codec)\.ts$/;
/** What a codec may use: memory and arithmetic only. */
const codecModules = new Set(["node:buffer", "node:v8", "node:zlib", "node:util"]);

export function isPureByName(file: string): boolean {
  return pureName.test(file);
}

/** Why a file does not keep the promise of its name: one sentence for each place, with its line. */
export function impurities(file: string, source: string): string[] {
  // Stripping in place keeps the lines.
  const tree: unknown = parseModule(stripTypeScriptTypes(source, { mode: "strip" }), { loc: true, next: true });
  const isCodec = file.endsWith("-codec.ts");
  const found: string[] = [];
  visit(tree, (node) => {
    const line = node.loc?.start.line ?? 0;
    const module = importedModule(node);
    if (module?.startsWith("node:") === true && !(isCodec && codecModules.has(module))) found.push(`${file}:${line}: imports ${module}`);
    if (node.type === "ImportExpression") found.push(`${file}:${line}: imports at run time`);
    if (node.async === true) found.push(`${file}:${line}: an async function`);
    if (node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await === true)) found.push(`${file}:${line}: awaits`);
    if (node.type === "NewExpression" && node.callee?.name === "Promise") found.push(`${file}:${line}: makes a promise`);
  });
  return found;
}

type SyntaxNode = {
  readonly type: string;
  readonly loc?: { readonly start: { readonly line: number } };
  readonly async?: unknown;
  readonly await?: unknown;
  readonly source?: { readonly value?: unknown } | null;
  readonly callee?: { readonly name?: unknown };
};

function importedModule(node: SyntaxNode): string | undefined {
  const value = /^(Import|Export)\w*Declaration$/.test(node.type) ? node.source?.value : undefined;
  return typeof value === "string" ? value : undefined;
}

function visit(value: unknown, see: (node: SyntaxNode) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, see);
  } else if (typeof value === "object" && value !== null) {
    if ("type" in value && typeof value.type === "string") see(value as SyntaxNode);
    for (const child of Object.values(value)) visit(child, see);
  }
}
