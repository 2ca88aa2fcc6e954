/** Reads what was written behind an option; what is wrong is told with the option's name by the command line's parser. */
import { InvalidArgumentError } from "commander";

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("It must be a number, zero or more.");
  return value;
}

export function count(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value) || value === 0 || value > MAX_COUNT)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_COUNT}.`);
  return value;
}

/** What a message has room for. */
const MAX_COUNT = 2 ** 32 - 1;

/** A path, a name or an id: a variable of the shell that is not set leaves nothing. */
export function text(given: string): string {
  if (given.trim() === "" || given.includes("\0")) throw new InvalidArgumentError("It must not be empty.");
  return given;
}

const SIZE = /^([0-9]+(?:\.[0-9]+)?)\s*(?:(K|M|G|T)(i?)B?|B)?$/i;
const POWERS: { readonly [letter: string]: number } = { K: 1, M: 2, G: 3, T: 4 };

/** `1048576`, `512MB`, `8GiB`, `8G`. */
export function bytes(text: string): number {
  const [, amount, letter, binary] = SIZE.exec(text.trim()) ?? [];
  if (amount === undefined) throw new InvalidArgumentError("It must be a size: bytes, or with a unit as in 512MB or 8GiB.");
  const power = letter === undefined ? 0 : (POWERS[letter.toUpperCase()] as number);
  const size = Math.floor(Number(amount) * (binary ? 1024 : 1000) ** power);
  if (!Number.isSafeInteger(size)) throw new InvalidArgumentError("It is more than any machine has.");
  return size;
}

/** `key=value,key=value`. */
export function keyValues(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new InvalidArgumentError(`"${pair}" is not key=value.`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}
