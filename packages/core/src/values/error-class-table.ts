/**
 * Error classes that no module has to offer: those of the entry script, of a test, of a notebook. Where one travels as text,
 * with a function that uses it, both sides note it under one name. So an error of the rebuilt class is, back where the
 * class came from, an instance of that class; and functions that came one by one share it, as they did at home. No value can
 * make a process load anything: it can only name a class that is here.
 */
import { crypto } from "../base/late-modules.ts";
import { LruMap } from "../base/lru-map.ts";

/** Classes that are held no longer than their program holds them; a program has few. */
const MAX_CLASSES = 1000;

const keyOf = new WeakMap<Function, string>();
const classOf = new LruMap<string, WeakRef<Function>>(MAX_CLASSES);

export function isErrorClass(value: unknown): value is Function {
  return typeof value === "function" && value.prototype instanceof Error;
}

/** @param place where its text stands. Other text there, and classes that were made of it again, get names of their own */
export function nameErrorClass(errorClass: Function, place: string): string {
  const known = keyOf.get(errorClass);
  if (known !== undefined) return known;
  const text = crypto().createHash("sha256").update(Function.prototype.toString.call(errorClass)).digest("base64url").slice(0, 16);
  const first = `${place}@${text}`;
  let key = first;
  for (let number = 2; classOf.get(key)?.deref() !== undefined && number < MAX_CLASSES; number++) key = `${first}~${number}`;
  noteErrorClass(errorClass, key);
  return key;
}

/** Where sender and receiver are one process, the class that was there first keeps the name. */
export function noteErrorClass(errorClass: Function, key: string): void {
  keyOf.set(errorClass, key);
  if (classOf.get(key)?.deref() === undefined) classOf.set(key, new WeakRef(errorClass));
}

export function keyOfErrorClass(errorClass: Function): string | undefined {
  return keyOf.get(errorClass);
}

export function errorClassOf(key: string): Function | undefined {
  return classOf.get(key)?.deref();
}
