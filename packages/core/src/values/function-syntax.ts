/**
 * What the text of a script says about its functions: where each one stands, which names it uses from outside, what those names
 * are bound to, and what in it cannot be moved. Parsed is what V8 executed, never the file.
 *
 * The parsers are loaded at first use (20 ms): a process that only sends functions of modules never needs them.
 */
import { createRequire } from "node:module";
import type { Reference, Scope, ScopeManager, Variable } from "eslint-scope";
import { LruMap } from "../base/lru-map.ts";
import type { ScriptText } from "./function-inspector.ts";
import { analyzeSite, type Binding, type ImportedName, type Site, skipStatic } from "./function-site.ts";
import { childrenOf, hasUseStrict, nameOf, type SyntaxNode } from "./function-tree.ts";

export interface ScriptSyntax {
  readonly script: ScriptText;
  /** The function or class whose text begins at `start`, or undefined. */
  siteAt(start: number): Site | undefined;
  /** Local name -> name under which it is exported. */
  readonly exports: ReadonlyMap<string, string>;
  /** Line and column (from 0) in the file. */
  position(offset: number): { line: number; column: number };
  offset(line: number, column: number): number;
}

/** Generated units begin with this, so that a function rebuilt here is recognised when it is sent on. */
export const UNIT_MARKER = "/*raia:unit*/";

/** Syntax trees kept. They are some fifty times the size of their text, so few; a tree dropped is parsed again. */
const MAX_TREES = 64;
const trees = new LruMap<string, ScriptSyntax>(MAX_TREES);

/** @throws {SyntaxError} when the text is not JavaScript that the parser knows */
export function scriptSyntax(scriptId: string, script: ScriptText): ScriptSyntax {
  const known = trees.get(scriptId);
  if (known !== undefined) return known;
  const parsed = parseScript(script);
  trees.set(scriptId, parsed);
  return parsed;
}

interface Parsers {
  readonly parse: (text: string, options: object) => SyntaxNode;
  readonly analyze: (tree: object, options: object) => ScopeManager;
}

let parsers: Parsers | undefined;

export function loadParsers(): Parsers {
  if (parsers === undefined) {
    const load = createRequire(import.meta.url);
    const { parse } = load("meriyah") as { parse: Parsers["parse"] };
    const { analyze } = load("eslint-scope") as { analyze: Parsers["analyze"] };
    parsers = { parse, analyze };
  }
  return parsers;
}

function parseScript(script: ScriptText): ScriptSyntax {
  const { parse, analyze } = loadParsers();
  // "commonjs" also reads plain scripts: it only allows more (a return at top level) and puts what is declared there in one function scope.
  const sourceType = script.isModule ? "module" : "commonjs";
  const tree = parse(script.text, { sourceType, next: true, ranges: true, webcompat: !script.isModule });
  const scopes = analyze(tree, { ecmaVersion: 2024, sourceType, ignoreEval: true, fallback: "iteration" });
  const index = indexTree(tree, script.text);
  const scopesByNode = new Map<unknown, Scope>();
  for (const scope of scopes.scopes) if (!scopesByNode.has(scope.block)) scopesByNode.set(scope.block, scope);

  const bindings = new Map<Variable, Binding>();
  const strictScript = script.isModule || hasUseStrict(tree);
  const bindingOf = (reference: Reference): Binding | undefined => {
    const variable = reference.resolved ?? scopes.globalScope?.set.get(reference.identifier.name) ?? undefined;
    if (variable === undefined || (variable.defs.length === 0 && variable.name !== "arguments")) return undefined;
    let binding = bindings.get(variable);
    if (binding === undefined) {
      binding = describeBinding(variable, index, tree);
      bindings.set(variable, binding);
    }
    return binding;
  };

  let exports: Map<string, string> | undefined;
  const sites = new Map<number, Site>();
  const lineStarts = startsOfLines(script.text);
  const position = (offset: number): { line: number; column: number } => {
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((lineStarts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + script.startLine, column: offset - (lineStarts[low] as number) + (low === 0 ? script.startColumn : 0) };
  };

  return {
    script,
    position,
    offset: (line, column) => {
      const row = line - script.startLine;
      return (lineStarts[row] ?? 0) + column - (row === 0 ? script.startColumn : 0);
    },
    siteAt(start) {
      const known = sites.get(start);
      if (known !== undefined) return known;
      const node = index.functions.get(start);
      if (node === undefined) return undefined;
      const functionNode = node.type === "MethodDefinition" || node.type === "Property" ? (node.value as SyntaxNode) : node;
      const scope = scopesByNode.get(functionNode);
      if (scope === undefined) return undefined;
      const site = analyzeSite({
        node,
        start,
        scope,
        text: script.text,
        strictScript,
        parents: index.parents,
        bindingOf,
        isModule: script.isModule,
      });
      sites.set(start, site);
      return site;
    },
    get exports() {
      exports ??= exportedNames(tree);
      return exports;
    },
  };
}

interface TreeIndex {
  readonly parents: Map<SyntaxNode, SyntaxNode>;
  /** Where `toString()` of a function begins -> its node. */
  readonly functions: Map<number, SyntaxNode>;
}

function indexTree(tree: SyntaxNode, text: string): TreeIndex {
  const parents = new Map<SyntaxNode, SyntaxNode>();
  const functions = new Map<number, SyntaxNode>();
  const pending: SyntaxNode[] = [tree];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const start = functionTextStart(node, parents.get(node), text);
    if (start !== undefined) functions.set(start, node);
    for (const child of childrenOf(node)) {
      parents.set(child, node);
      pending.push(child);
    }
  }
  return { parents, functions };
}

function functionTextStart(node: SyntaxNode, parent: SyntaxNode | undefined, text: string): number | undefined {
  switch (node.type) {
    case "FunctionDeclaration":
    case "ArrowFunctionExpression":
    case "ClassDeclaration":
    case "ClassExpression":
      return node.start;
    case "FunctionExpression":
      // The function inside a method begins at its parameters; the method is what has a text of its own.
      return parent?.type === "MethodDefinition" || isMethodProperty(parent) ? undefined : node.start;
    case "MethodDefinition":
      return node.static === true ? skipStatic(text, node.start) : node.start;
    case "Property":
      return isMethodProperty(node) ? node.start : undefined;
    default:
      return undefined;
  }
}

function isMethodProperty(node: SyntaxNode | undefined): boolean {
  return node?.type === "Property" && (node.method === true || node.kind === "get" || node.kind === "set");
}

function describeBinding(variable: Variable, index: TreeIndex, tree: SyntaxNode): Binding {
  const { name } = variable;
  const definition = variable.defs[0];
  if (definition?.type === "ImportBinding") {
    return {
      name,
      kind: "import",
      imported: importedName(definition.node as unknown as SyntaxNode, definition.parent as unknown as SyntaxNode),
    };
  }
  if (variable.scope.type === "function-expression-name") return { name, kind: "selfName" };
  const kind = isEnteredOnce(variable.scope, index, tree) ? "single" : "scoped";
  const moduleSpecifier =
    variable.defs.length === 1 && definition?.type === "Variable" ? requestedModule(definition.node as unknown as SyntaxNode) : undefined;
  return moduleSpecifier === undefined ? { name, kind } : { name, kind, moduleSpecifier };
}

function importedName(node: SyntaxNode, declaration: SyntaxNode): ImportedName {
  const specifier = (declaration.source as SyntaxNode).value as string;
  const attributes: Record<string, string> = {};
  for (const attribute of (declaration.attributes as SyntaxNode[] | undefined) ?? []) {
    attributes[nameOf(attribute.key as SyntaxNode)] = (attribute.value as SyntaxNode).value as string;
  }
  if (node.type === "ImportNamespaceSpecifier") return { specifier, name: undefined, attributes };
  return { specifier, name: node.type === "ImportDefaultSpecifier" ? "default" : nameOf(node.imported as SyntaxNode), attributes };
}

/** `const x = await import("y")`, and the form that Vite gives to every import declaration. */
function requestedModule(declarator: SyntaxNode): string | undefined {
  if (declarator.type !== "VariableDeclarator" || (declarator.id as SyntaxNode).type !== "Identifier") return undefined;
  let value = declarator.init as SyntaxNode | null;
  if (value?.type !== "AwaitExpression") return undefined;
  value = value.argument as SyntaxNode;
  const source =
    value.type === "ImportExpression"
      ? (value.source as SyntaxNode)
      : value.type === "CallExpression" && nameOf(value.callee as SyntaxNode) === "__vite_ssr_import__"
        ? (value.arguments as SyntaxNode[])[0]
        : undefined;
  return source?.type === "Literal" && typeof source.value === "string" ? source.value : undefined;
}

const LOOPS = new Set(["ForStatement", "ForInStatement", "ForOfStatement", "WhileStatement", "DoWhileStatement"]);
const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

/** Whether a scope is entered at most once, so that its variables are as single as a module's. */
function isEnteredOnce(scope: Scope, index: TreeIndex, tree: SyntaxNode): boolean {
  for (let node = scope.block as unknown as SyntaxNode | undefined; node !== undefined && node !== tree; node = index.parents.get(node)) {
    if (LOOPS.has(node.type) || node.type === "PropertyDefinition" || node.type === "StaticBlock") return false;
    if (FUNCTIONS.has(node.type) && !isWholeScript(node, index, tree)) return false;
  }
  return true;
}

/** Whether a function is nothing but the wrapper in which a loader, a bundler or the REPL runs a whole script once. */
function isWholeScript(node: SyntaxNode, index: TreeIndex, tree: SyntaxNode): boolean {
  const statements = (tree.body as SyntaxNode[]).filter(
    (statement) => typeof statement.directive !== "string" && statement.type !== "ImportDeclaration",
  );
  if (statements.length !== 1) return false;
  let child = node;
  for (let parent = index.parents.get(child); parent !== undefined; parent = index.parents.get(child)) {
    switch (parent.type) {
      case "ExpressionStatement":
      case "ExportDefaultDeclaration":
        return parent === statements[0];
      case "CallExpression":
        if (parent.callee !== child) return false;
        break;
      case "Property":
      case "ObjectExpression":
      case "AwaitExpression":
      case "UnaryExpression":
        break;
      default:
        return false;
    }
    child = parent;
  }
  return false;
}

function exportedNames(tree: SyntaxNode): Map<string, string> {
  const names = new Map<string, string>();
  for (const statement of tree.body as SyntaxNode[]) {
    if (statement.type === "ExportDefaultDeclaration") {
      const declaration = statement.declaration as SyntaxNode;
      const local = (declaration.id as SyntaxNode | null | undefined) ?? (declaration.type === "Identifier" ? declaration : undefined);
      names.set(local === undefined ? "*default*" : nameOf(local), "default");
    } else if (statement.type === "ExportNamedDeclaration" && statement.source == null) {
      for (const specifier of (statement.specifiers as SyntaxNode[] | undefined) ?? []) {
        names.set(nameOf(specifier.local as SyntaxNode), nameOf(specifier.exported as SyntaxNode));
      }
      const declaration = statement.declaration as SyntaxNode | null;
      if (declaration?.type === "FunctionDeclaration" || declaration?.type === "ClassDeclaration") {
        const name = nameOf(declaration.id as SyntaxNode);
        names.set(name, name);
      }
      for (const declarator of (declaration?.declarations as SyntaxNode[] | undefined) ?? []) {
        const id = declarator.id as SyntaxNode;
        if (id.type === "Identifier") names.set(nameOf(id), nameOf(id));
      }
    }
  }
  return names;
}

function startsOfLines(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(match.index + match[0].length);
  return starts;
}
