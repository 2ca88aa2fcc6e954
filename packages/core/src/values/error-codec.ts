/**
 * What a user's code threw, on its way to whoever waits for the result. Anything may be thrown; errors keep their class where
 * this process has it, their properties and causes, and their stack continues with the caller's.
 *
 *   varuint count, names of the error's classes | task, node, varuint pid, names of properties left out | the value
 */
import { withoutOwnFrames } from "../base/caller-frames.ts";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { RaiaError } from "../base/errors.ts";
import { decodeValue, type EncodedValue, encodeValue, packValue, tryEncodeSmall, type ValueHooks } from "./value-codec.ts";
import { ErrorRemainder } from "./error-remainder.ts";
import { hide, isError } from "./value-error.ts";

/** Where something was thrown. */
export interface ThrowPlace {
  readonly task: string;
  readonly pid: number;
  readonly node: string;
}

/**
 * Encodes what was thrown. In the place of what cannot be sent of an error (an open socket, a function) there is a text, and its
 * stack names the places.
 *
 * @throws {RaiaError} UNSERIALIZABLE for a thrown value that is no error and cannot be sent
 */
export function encodeError(error: unknown, hooks: ValueHooks, place: ThrowPlace): Uint8Array {
  const writer = new ByteWriter(1024);
  const names = namesOf(error);
  writer.varuint(names.length);
  for (const name of names) writer.utf8(name);
  writer.utf8(place.task);
  writer.utf8(place.node);
  writer.varuint(place.pid);
  if (!isAnyError(error)) {
    writer.utf8("");
    if (!tryEncodeSmall(writer, error)) append(writer, encodeValue(error, hooks));
    return writer.take();
  }
  const { encoded, omitted } = encodeWhatCan(error, hooks);
  writer.utf8(omitted);
  append(writer, encoded);
  return writer.take();
}

/** Names of the classes of the error and its ancestors, most specific first, with its own name; none for what is no error. */
export function errorNameOf(bytes: Uint8Array): readonly string[] {
  return readNames(new ByteReader(bytes, 0, bytes.length));
}

/**
 * What a get of the failed object rejects with: what was thrown; an error with its remote frames followed by those of the caller.
 *
 * @param callerStack the frames of who waits, a line each
 * @throws {RaiaError} PROTOCOL for bytes that are no encoded error
 */
export function reviveError(bytes: Uint8Array, hooks: ValueHooks, callerStack = ""): unknown {
  const { value, place, omitted } = readError(bytes, hooks);
  if (isAnyError(value)) appendRemoteFrames(value, { ...place, omitted, callerStack });
  return value;
}

/** What was encoded, as it is. @throws {RaiaError} PROTOCOL for bytes that are no encoded error */
export function readError(
  bytes: Uint8Array,
  hooks: ValueHooks,
): { readonly value: unknown; readonly place: ThrowPlace; readonly omitted: string } {
  const reader = new ByteReader(bytes, 0, bytes.length);
  readNames(reader);
  const place: ThrowPlace = { task: reader.utf8(), node: reader.utf8(), pid: reader.varuint() };
  const omitted = reader.utf8();
  return { value: decodeValue(bytes, reader.position, bytes.length, hooks), place, omitted };
}

/** What is known of a failure when its stack is put together. */
export interface RemoteFrames extends ThrowPlace {
  /** Names of properties that could not be sent. */
  readonly omitted?: string;
  readonly callerStack?: string;
}

/** Makes a stack of the remote frames, a line that says where they are from, and the caller's frames. */
export function appendRemoteFrames(error: Error, { task, node, pid, omitted = "", callerStack = "" }: RemoteFrames): void {
  const note = omitted === "" ? "" : ` (not sent: ${omitted})`;
  const remote = typeof error.stack === "string" ? withoutOwnFrames(error.stack) : `${error.name}: ${error.message}`;
  cleanCauses(error);
  hide(
    error,
    "stack",
    `${remote}\n    --- remote task ${task} @${node} pid ${pid}${note} ---${callerStack === "" ? "" : `\n${callerStack}`}`,
  );
}

/** What a cause chain may be long, a stack for each. */
const MAX_CLEANED_CAUSES = 16;

function cleanCauses(error: Error): void {
  let { cause } = error;
  for (let depth = 0; depth < MAX_CLEANED_CAUSES && isAnyError(cause); depth++) {
    if (typeof cause.stack === "string") hide(cause, "stack", withoutOwnFrames(cause.stack));
    ({ cause } = cause);
  }
}

function append(writer: ByteWriter, encoded: EncodedValue): void {
  writer.ensure(encoded.byteLength);
  packValue(encoded, writer.buffer.subarray(writer.position));
  writer.position += encoded.byteLength;
}

// -- names ------------------------------------------------------------------------------------------------------------

/** A hierarchy of classes deeper than this is cut. */
const MAX_NAMES = 16;
const MAX_NAME_CHARS = 200;

function namesOf(error: unknown): string[] {
  if (!isAnyError(error)) return [];
  const names: string[] = [];
  try {
    names.push(String(error.name));
    for (
      let proto = Object.getPrototypeOf(error) as object | null;
      proto !== null && proto !== Object.prototype;
      proto = Object.getPrototypeOf(proto) as object | null
    ) {
      const owner = Object.getOwnPropertyDescriptor(proto, "constructor")?.value as unknown;
      if (typeof owner === "function") names.push(owner.name);
    }
  } catch {
    // A getter of the user's that throws: what was found until then has to do.
  }
  return [...new Set(names)].slice(0, MAX_NAMES).map((name) => name.slice(0, MAX_NAME_CHARS));
}

function readNames(reader: ByteReader): string[] {
  const names: string[] = [];
  for (let left = reader.count(); left > 0; left--) names.push(reader.utf8());
  return names;
}

function isAnyError(value: unknown): value is Error {
  return typeof value === "object" && value !== null && isError(value);
}

// -- errors with properties that cannot be sent -----------------------------------------------------------------------

const MAX_OMITTED_CHARS = 500;

function encodeWhatCan(error: Error, hooks: ValueHooks): { readonly encoded: EncodedValue; readonly omitted: string } {
  try {
    return { encoded: encodeValue(error, hooks), omitted: "" };
  } catch (failure) {
    if (!RaiaError.is(failure, "UNSERIALIZABLE")) throw failure;
    const remainder = new ErrorRemainder(hooks);
    const encoded = encodeValue(remainder.ofError(error, ""), hooks);
    return { encoded, omitted: [...remainder.omitted].join(", ").slice(0, MAX_OMITTED_CHARS) };
  }
}
