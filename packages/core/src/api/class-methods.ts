/** Which methods a class has, as far as can be told without an instance. */
import { unknownOption } from "./option-rules.ts";

/**
 * Refuses options for methods that the class has not. A method that its instances get otherwise (a field that holds a function,
 * an assignment in the constructor) is recognised by its name somewhere in the code of the class.
 *
 * @throws {RaiaError} INVALID_OPTION with the nearest method
 */
export function checkMethodNames(Class: Function, methods: readonly string[]): void {
  if (methods.length === 0) return;
  const known = methodNames(Class);
  const written = wordsOf(Class);
  for (const method of methods) {
    if (known.has(method) || written === undefined || written.has(method)) continue;
    throw unknownOption(`methods.${method}`, method, [...known], undefined, `${Class.name || "the class"} has no such method`);
  }
}

export function generatorMethodsOf(Class: Function): string[] {
  return [...prototypeValues(Class)]
    .filter(([, value]) => typeof value === "function" && /Generator/.test(tagOf(Object.getPrototypeOf(value) as object)))
    .map(([name]) => name);
}

function tagOf(prototype: { [Symbol.toStringTag]?: string }): string {
  return prototype[Symbol.toStringTag] ?? "";
}

function methodNames(Class: Function): Set<string> {
  const names = [...prototypeValues(Class)].filter(([name, value]) => name !== "constructor" && typeof value === "function");
  return new Set(names.map(([name]) => name));
}

/** Of the class and those it extends, its own first. */
function* prototypeValues(Class: Function): Generator<[name: string, value: unknown]> {
  const { prototype } = Class as unknown as { readonly prototype: object | null };
  for (let at = prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) yield [name, value];
  }
}

/** The identifiers in the code of the class and those it extends; `undefined` where one shows none. */
function wordsOf(Class: Function): ReadonlySet<string> | undefined {
  const words = new Set<string>();
  for (let at: unknown = Class; typeof at === "function" && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
    const code = Function.prototype.toString.call(at);
    if (code.includes("[native code]")) return undefined;
    for (const [word] of code.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) words.add(word);
  }
  return words;
}
