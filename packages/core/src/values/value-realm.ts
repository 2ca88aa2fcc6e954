/** Built-in prototypes by name, in any realm: a value made in a vm context (a notebook, Jest) has other ones than this module. */

/** "" for a prototype that is no built-in one. */
const names = new WeakMap<object, string>();

/** The name of the built-in class (`Map`, `RangeError`) of which this is the prototype, else undefined. */
export function builtinNameOf(proto: object): string | undefined {
  let name = names.get(proto);
  if (name === undefined) {
    name = findName(proto);
    names.set(proto, name);
  }
  return name === "" ? undefined : name;
}

export function isPrototypeOf(proto: object, builtin: { readonly name: string; readonly prototype: unknown }): boolean {
  return proto === builtin.prototype || builtinNameOf(proto) === builtin.name;
}

function findName(proto: object): string {
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  if (typeof owner !== "function" || owner.prototype !== proto) return "";
  return Function.prototype.toString.call(owner).endsWith("{ [native code] }") ? owner.name : "";
}
