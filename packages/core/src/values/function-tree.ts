/** Walking a syntax tree (ESTree) without a type for each of its hundred kinds of node. */

/** A node of the tree; what else it has depends on its type. Offsets are characters of the script. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

export function* childrenOf(node: SyntaxNode): Generator<SyntaxNode> {
  for (const key in node) {
    if (key === "parent") continue;
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isSyntaxNode(item)) yield item;
    } else if (isSyntaxNode(value)) yield value;
  }
}

export function hasUseStrict(node: SyntaxNode): boolean {
  const body = (Array.isArray(node.body) ? node.body : (node.body as SyntaxNode | undefined)?.body) as SyntaxNode[] | undefined;
  for (const statement of Array.isArray(body) ? body : []) {
    if (statement.type !== "ExpressionStatement" || typeof statement.directive !== "string") return false;
    if (statement.directive === "use strict") return true;
  }
  return false;
}

export function nameOf(node: SyntaxNode): string {
  return node.type === "Identifier" ? (node.name as string) : String(node.value);
}
