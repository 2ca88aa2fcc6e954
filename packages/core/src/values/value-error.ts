/**
 * Errors inside values: which built-in class an error is, the class of the user's it belongs to, and an object of the right kind
 * to fill on the other side. No constructor of the user's runs there, and no stack is captured.
 */
import { types } from "node:util";
import { type ErrorCode, errorCatalogue, type Facts, RaiaError } from "../base/errors.ts";
import { type ErrorClassReference, findErrorClass, referenceOf } from "./value-error-class.ts";
import { builtinNameOf } from "./value-realm.ts";

/** The position is the number on the wire: append only. */
const BASES: readonly string[] = [
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "AggregateError",
  "SuppressedError",
  "DOMException",
  "RaiaError",
];
const DOM_EXCEPTION = 9;
export const RAIA_ERROR = 10;

type BaseClass = new (...args: unknown[]) => Error;

function baseClass(base: number): BaseClass {
  const name = BASES[base];
  const found = name === undefined ? undefined : (globalThis as unknown as Record<string, BaseClass | undefined>)[name];
  return found ?? (Error as unknown as BaseClass);
}

/** Longer stacks lose their middle. */
const MAX_STACK_CHARS = 64 * 1024;

const MAX_CLASS_NAME_CHARS = 200;

/** What is known of an error before its properties. */
export interface ErrorHead {
  readonly base: number;
  readonly reference: ErrorClassReference | undefined;
  /** Of the user's class; "" for a built-in one. */
  readonly className: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

export function isError(value: object): boolean {
  return types.isNativeError(value) || (value instanceof Error && BASES[baseOf(value)] === "DOMException");
}

export function describeError(error: Error): ErrorHead {
  const base = baseOf(error);
  const { stack } = error;
  return {
    base,
    reference: base === RAIA_ERROR ? undefined : referenceOf(error),
    className: base === RAIA_ERROR ? "" : userClassName(error),
    name: String(error.name),
    message: String(error.message),
    stack: typeof stack === "string" ? shortened(stack) : undefined,
  };
}

function userClassName(error: Error): string {
  const proto = Object.getPrototypeOf(error) as object;
  const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
  if (typeof owner !== "function" || builtinNameOf(proto) !== undefined || isDomException(proto)) return "";
  return String(owner.name).slice(0, MAX_CLASS_NAME_CHARS);
}

function baseOf(error: Error): number {
  if (RaiaError.is(error)) return RAIA_ERROR;
  for (let proto = Object.getPrototypeOf(error) as object | null; proto !== null; proto = Object.getPrototypeOf(proto) as object | null) {
    const base = isDomException(proto) ? DOM_EXCEPTION : BASES.indexOf(builtinNameOf(proto) ?? "");
    if (base >= 0) return base;
  }
  return 0;
}

/** Asked by name first: touching the global loads more of Node than a small program needs. */
function isDomException(proto: object): boolean {
  return Object.getOwnPropertyDescriptor(proto, Symbol.toStringTag)?.value === "DOMException" && proto === DOMException.prototype;
}

/** Own properties that the head does not hold: those that show in a listing, and those that do not (`cause`, `errors`). */
export function errorProperties(error: Error): { readonly shown: string[]; readonly hidden: string[] } {
  const shown: string[] = [];
  const hidden: string[] = [];
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === "stack" || key === "message") continue;
    if (Object.prototype.propertyIsEnumerable.call(error, key)) shown.push(key);
    else hidden.push(key);
  }
  return RaiaError.is(error) ? { shown: shown.filter((key) => !["name", "code", "facts"].includes(key)), hidden } : { shown, hidden };
}

/** An error of the same class as far as this process has it, else of the nearest built-in one, under its own name. */
export function createError(head: ErrorHead, code: unknown, facts: unknown): Error {
  const error = withoutStack(() => bareError(head, code, facts));
  const userClass = head.reference === undefined ? undefined : findErrorClass(head.reference);
  if (userClass !== undefined) Object.setPrototypeOf(error, userClass.prototype as object);
  if (error.message !== head.message) hide(error, "message", head.message);
  // Without its class an error that never set a name would be one of many: the name of the class tells them apart.
  const name = userClass === undefined && head.className !== "" && error.name === head.name ? head.className : head.name;
  if (error.name !== name) hide(error, "name", name);
  hide(error, "stack", head.stack);
  return error;
}

function bareError({ base, name, message }: ErrorHead, code: unknown, facts: unknown): Error {
  if (base === DOM_EXCEPTION) return new DOMException(message, name);
  if (base === RAIA_ERROR) return raiaError(code, facts);
  const made = BASES[base] === "AggregateError" ? new AggregateError([], message) : new (baseClass(base))();
  if (message !== "" && made.message !== message) hide(made, "message", message);
  // What the constructors of these add by themselves comes with the properties, if the original had it.
  for (const key of ["errors", "error", "suppressed"]) Reflect.deleteProperty(made, key);
  return made;
}

function raiaError(code: unknown, facts: unknown): Error {
  if (typeof code === "string" && Object.hasOwn(errorCatalogue, code)) {
    return new RaiaError(code as ErrorCode, (typeof facts === "object" && facts !== null ? facts : {}) as Facts);
  }
  // A code of a newer version: no error of ours here, but all that it says.
  return Object.assign(new Error(), { code, facts });
}

export function hide(owner: object, key: string, value: unknown): void {
  Object.defineProperty(owner, key, { value, writable: true, configurable: true, enumerable: false });
}

function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function shortened(stack: string): string {
  if (stack.length <= MAX_STACK_CHARS) return stack;
  const half = MAX_STACK_CHARS / 2;
  return `${stack.slice(0, half)}\n    ... ${stack.length - MAX_STACK_CHARS} characters ...\n${stack.slice(-half)}`;
}
