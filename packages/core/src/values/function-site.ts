/**
 * What one function or class takes from outside its own text, and what must change in the text before it can be evaluated
 * somewhere else. Changes keep every line and column where it was: a replacement has the length of what it replaces.
 *
 * Code that ran when the function was defined is never run again: a class's heritage, static fields and computed keys are
 * replaced by the values they had, and static blocks are emptied.
 */
import type { Reference, Scope } from "eslint-scope";
import { childrenOf, nameOf, type SyntaxNode } from "./function-tree.ts";

/** What a name is bound to where it is used. */
export interface Binding {
  readonly name: string;
  /**
   * - `import`: an import declaration of the module
   * - `single`: a variable of which there is only one, because its scope is entered once (module, script, top-level block)
   * - `scoped`: a variable of a function or loop, of which there may be many
   * - `selfName`: the own name of an enclosing function expression, which V8 does not show
   */
  readonly kind: "import" | "single" | "scoped" | "selfName";
  readonly imported?: ImportedName;
  /** The module that the variable was declared to hold: `const x = await import("y")` and what bundlers make of imports. */
  readonly moduleSpecifier?: string;
}

export interface ImportedName {
  readonly specifier: string;
  /** `undefined` for the namespace (`* as x`). */
  readonly name: string | undefined;
  /** Import attributes, `with { type: "json" }`. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** A name that the text uses and does not declare. */
export interface FreeName {
  readonly name: string;
  /** Undefined when the script does not declare it: a global, or a variable of another script. */
  readonly binding: Binding | undefined;
  readonly isWritten: boolean;
  /** It occurs as `typeof name` somewhere: the text reckons with its absence. */
  readonly hasTypeof: boolean;
  readonly offset: number;
}

/** Something in the text that cannot be moved. */
export interface Obstacle {
  readonly reason: string;
  readonly wayOut: string;
  readonly offset: number;
}

/** A value that the text needs while it is being defined. */
export type DefinitionValue =
  | { readonly kind: "heritage" }
  | { readonly kind: "staticPrivate"; readonly name: string }
  | { readonly kind: "key"; readonly memberText: string; readonly isStatic: boolean }
  | { readonly kind: "importer" };

/** A stretch of the text (offsets in the script) to be replaced by as many characters: by `text`, or by a name that holds `value`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: { readonly text: string } | { readonly value: DefinitionValue };
}

export interface Site {
  readonly kind: "function" | "class" | "method" | "getter" | "setter";
  /** Offsets in the script. */
  readonly start: number;
  readonly end: number;
  readonly isStrict: boolean;
  /** The text declares its own name in the scope around it. */
  readonly declaredName: string | undefined;
  readonly declaredNameAt: number;
  /** It needs to be part of a module: it uses imports, `import.meta` or `import()`. */
  readonly needsModule: boolean;
  readonly freeNames: readonly FreeName[];
  readonly obstacles: readonly Obstacle[];
  readonly edits: readonly Edit[];
  /** Every identifier in the text, for choosing names that are not among them. */
  readonly usedNames: ReadonlySet<string>;
}

export interface SiteInput {
  readonly node: SyntaxNode;
  readonly start: number;
  readonly scope: Scope;
  readonly text: string;
  readonly strictScript: boolean;
  readonly isModule: boolean;
  readonly parents: ReadonlyMap<SyntaxNode, SyntaxNode>;
  readonly bindingOf: (reference: Reference) => Binding | undefined;
}

export function analyzeSite(input: SiteInput): Site {
  const { node, start, scope, parents, isModule } = input;
  const kind = siteKind(node);
  const edits = definitionEdits(node, kind, input.text);
  const walk = new SiteWalk(edits, isModule);
  const isArrow = node.type === "ArrowFunctionExpression";
  const mayUseOuterThis = isArrow && isModule && !hasThisAround(node, parents);
  walk.visitRoot(node, { this: !isArrow || mayUseOuterThis, target: !isArrow, super: false, privateNames: NO_NAMES });

  const freeNames = collectFreeNames(input, walk.edits, walk.obstacles);
  const needsModule = isModule && (walk.usesModuleSyntax || freeNames.some((free) => free.binding?.kind === "import"));
  const declares = node.type === "FunctionDeclaration" || node.type === "ClassDeclaration";
  const id = node.id as SyntaxNode | null | undefined;
  return {
    kind,
    start,
    end: node.end,
    isStrict: kind === "class" || input.strictScript || scope.isStrict,
    declaredName: declares && id != null ? nameOf(id) : undefined,
    declaredNameAt: id?.start ?? start,
    needsModule,
    freeNames,
    obstacles: walk.obstacles,
    edits: walk.edits.toSorted((a, b) => a.start - b.start),
    usedNames: walk.usedNames,
  };
}

function siteKind(node: SyntaxNode): Site["kind"] {
  if (node.type === "ClassDeclaration" || node.type === "ClassExpression") return "class";
  if (node.type !== "MethodDefinition" && node.type !== "Property") return "function";
  return node.kind === "get" ? "getter" : node.kind === "set" ? "setter" : "method";
}

/** A creator of a rebuilt unit stands around the function only to hold its captures. */
const CREATOR_NAME = /^\$raia\d*_\d+$/;

function hasThisAround(node: SyntaxNode, parents: ReadonlyMap<SyntaxNode, SyntaxNode>): boolean {
  for (let around = parents.get(node); around !== undefined; around = parents.get(around)) {
    if (around.type === "PropertyDefinition" || around.type === "StaticBlock") return true;
    if (around.type === "FunctionDeclaration" && around.id != null && CREATOR_NAME.test(nameOf(around.id as SyntaxNode))) return false;
    if (around.type === "FunctionDeclaration" || around.type === "FunctionExpression") return true;
  }
  return false;
}

function definitionEdits(node: SyntaxNode, kind: Site["kind"], text: string): Edit[] {
  const edits: Edit[] = [];
  if (kind === "class") {
    const heritage = node.superClass as SyntaxNode | null;
    if (heritage !== null && heritage !== undefined)
      edits.push({ start: heritage.start, end: heritage.end, replacement: { value: { kind: "heritage" } } });
    for (const element of (node.body as SyntaxNode).body as SyntaxNode[]) elementEdits(element, text, edits);
  } else if (kind !== "function") {
    const key = node.key as SyntaxNode;
    // The key only gives the name, which is set afterwards.
    if (node.computed === true) edits.push({ start: key.start, end: key.end, replacement: { text: "0" } });
    else if (key.type === "PrivateIdentifier") edits.push({ start: key.start, end: key.start + 1, replacement: { text: "_" } });
  }
  return edits;
}

function elementEdits(element: SyntaxNode, text: string, edits: Edit[]): void {
  const isStatic = element.static === true;
  if (element.type === "StaticBlock") {
    const open = text.indexOf("{", element.start);
    edits.push({ start: open + 1, end: element.end - 1, replacement: { text: "" } });
    return;
  }
  const key = element.key as SyntaxNode;
  if (element.computed === true && !isConstantKey(key)) {
    const memberText =
      element.type === "MethodDefinition" ? text.slice(isStatic ? skipStatic(text, element.start) : element.start, element.end) : "";
    edits.push({ start: key.start, end: key.end, replacement: { value: { kind: "key", memberText, isStatic } } });
  }
  const value = element.value as SyntaxNode | null;
  if (element.type !== "PropertyDefinition" || !isStatic || value === null) return;
  const replacement =
    key.type === "PrivateIdentifier" ? { value: { kind: "staticPrivate", name: `#${String(key.name)}` } as const } : { text: "0" };
  edits.push({ start: value.start, end: value.end, replacement });
}

/** Where the text of a static member begins, as `toString()` gives it: after the word `static`. */
export function skipStatic(text: string, start: number): number {
  const skipped = /^static(?:\s|\/\*[\s\S]*?\*\/|\/\/[^\n]*\n)*/.exec(text.slice(start, start + 1000));
  return start + (skipped?.[0].length ?? 0);
}

/** A key that gives the same value when it is evaluated again: a literal, `Symbol.iterator`, `Symbol.for("x")`. */
function isConstantKey(key: SyntaxNode): boolean {
  if (key.type === "Literal") return true;
  if (key.type === "TemplateLiteral") return (key.expressions as unknown[]).length === 0;
  const isSymbolMember = (node: SyntaxNode): boolean =>
    node.type === "MemberExpression" && node.computed !== true && nameOf(node.object as SyntaxNode) === "Symbol";
  if (key.type === "CallExpression") {
    const [argument, ...more] = key.arguments as SyntaxNode[];
    return isSymbolMember(key.callee as SyntaxNode) && argument?.type === "Literal" && more.length === 0;
  }
  return isSymbolMember(key);
}

/** What the place in the text may use without reaching outside of it. */
interface Inside {
  readonly this: boolean;
  readonly target: boolean;
  readonly super: boolean;
  readonly privateNames: ReadonlySet<string>;
}

const NO_NAMES: ReadonlySet<string> = new Set();

class SiteWalk {
  readonly edits: Edit[];
  readonly obstacles: Obstacle[] = [];
  readonly usedNames = new Set<string>();
  usesModuleSyntax = false;
  readonly #isModule: boolean;

  constructor(edits: Edit[], isModule: boolean) {
    this.edits = edits;
    this.#isModule = isModule;
  }

  visitRoot(node: SyntaxNode, inside: Inside): void {
    if (node.type === "MethodDefinition" || node.type === "Property")
      this.#visitFunction(node.value as SyntaxNode, { ...inside, this: true, target: true });
    else this.#visit(node, inside);
  }

  #visit(node: SyntaxNode, inside: Inside): void {
    if (this.edits.some((edit) => node.start >= edit.start && node.end <= edit.end)) return;
    switch (node.type) {
      case "Identifier":
        this.usedNames.add(node.name as string);
        return;
      case "PrivateIdentifier":
        if (!inside.privateNames.has(node.name as string)) {
          this.#refuse(
            node,
            `it uses the private name #${String(node.name)} of a class around it`,
            "make it a method of the class and send the class, or use a public method",
          );
        }
        return;
      case "ThisExpression":
        if (!inside.this)
          this.#refuse(node, "it uses the `this` of the function around it", "pass the object as an argument, or keep it in a variable");
        return;
      case "Super":
        if (!inside.super)
          this.#refuse(
            node,
            "it uses `super` of an object or class that does not come along",
            "send the class itself, or call the parent's method by name",
          );
        return;
      case "MetaProperty":
        this.#visitMetaProperty(node, inside);
        return;
      case "ImportExpression":
        if (this.#isModule) this.usesModuleSyntax = true;
        else this.edits.push({ start: node.start, end: node.start + "import".length, replacement: { value: { kind: "importer" } } });
        break;
      case "CallExpression":
        if ((node.callee as SyntaxNode).type === "Identifier" && (node.callee as SyntaxNode).name === "eval") {
          this.#refuse(
            node,
            "it calls eval directly, which could use any variable around it",
            "use (0, eval)(text), or write the code out",
          );
        }
        break;
      case "FunctionDeclaration":
      case "FunctionExpression":
        this.#visitFunction(node, inside);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#visitClass(node, inside);
        return;
      case "Property":
        if (node.method === true || node.kind === "get" || node.kind === "set") {
          if (node.computed === true) this.#visit(node.key as SyntaxNode, inside);
          this.#visitFunction(node.value as SyntaxNode, { ...inside, super: true });
          return;
        }
        break;
      default:
        break;
    }
    for (const child of childrenOf(node)) this.#visit(child, inside);
  }

  #visitFunction(node: SyntaxNode, inside: Inside): void {
    for (const child of childrenOf(node))
      this.#visit(child, { ...inside, this: true, target: true, super: node.type === "FunctionDeclaration" ? false : inside.super });
  }

  #visitClass(node: SyntaxNode, inside: Inside): void {
    const elements = (node.body as SyntaxNode).body as SyntaxNode[];
    const declared = elements.flatMap(({ key }) =>
      (key as SyntaxNode | undefined)?.type === "PrivateIdentifier" ? [(key as SyntaxNode).name as string] : [],
    );
    const privateNames = new Set([...inside.privateNames, ...declared]);
    if (node.id != null) this.#visit(node.id as SyntaxNode, inside);
    if (node.superClass != null) this.#visit(node.superClass as SyntaxNode, inside);
    const own: Inside = { this: true, target: true, super: true, privateNames };
    for (const element of elements) {
      if (element.type === "StaticBlock") {
        for (const statement of element.body as SyntaxNode[]) this.#visit(statement, own);
        continue;
      }
      if (element.computed === true) this.#visit(element.key as SyntaxNode, { ...inside, privateNames });
      if (element.value === null) continue;
      if (element.type === "MethodDefinition") for (const child of childrenOf(element.value as SyntaxNode)) this.#visit(child, own);
      else this.#visit(element.value as SyntaxNode, own);
    }
  }

  #visitMetaProperty(node: SyntaxNode, inside: Inside): void {
    if (nameOf(node.meta as SyntaxNode) === "import") this.usesModuleSyntax = true;
    else if (!inside.target) this.#refuse(node, "it uses the `new.target` of the function around it", "keep it in a variable");
  }

  #refuse(node: SyntaxNode, reason: string, wayOut: string): void {
    this.obstacles.push({ reason, wayOut, offset: node.start });
  }
}

function collectFreeNames(
  { scope, node, start, parents, bindingOf }: SiteInput,
  edits: readonly Edit[],
  obstacles: Obstacle[],
): FreeName[] {
  const found = new Map<string, FreeName>();
  for (const reference of scope.through) {
    const identifier = reference.identifier as unknown as SyntaxNode;
    if (identifier.start < start || identifier.end > node.end) continue;
    if (edits.some((edit) => identifier.start >= edit.start && identifier.end <= edit.end)) continue;
    const name = identifier.name as string;
    const isTypeof = isTypeofOperand(identifier, parents);
    const known = found.get(name);
    found.set(name, {
      name,
      binding: known?.binding ?? bindingOf(reference),
      isWritten: known?.isWritten === true || reference.isWrite(),
      hasTypeof: known?.hasTypeof === true || isTypeof,
      offset: known?.offset ?? identifier.start,
    });
  }
  const outerArguments = found.get("arguments");
  if (outerArguments !== undefined) {
    found.delete("arguments");
    obstacles.push({
      reason: "it uses the `arguments` of the function around it",
      wayOut: "keep them in a variable",
      offset: outerArguments.offset,
    });
  }
  // A direct call of eval is an obstacle; the function itself is a global.
  return [...found.values()];
}

function isTypeofOperand(identifier: SyntaxNode, parents: ReadonlyMap<SyntaxNode, SyntaxNode>): boolean {
  const parent = parents.get(identifier);
  return parent?.type === "UnaryExpression" && parent.operator === "typeof";
}
