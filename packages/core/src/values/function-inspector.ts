/**
 * Looks inside a live function through V8's inspector: the scopes it closes over, where its text stands, what a bound function
 * binds, private fields, the entries of weak collections.
 *
 * The function is parked on the default import of `node:inspector`, because `Runtime.evaluate` runs in the main context, whose
 * `globalThis` is not the one of a vm context; that module object is the same in all of them. The debugger is enabled only to
 * read a script's text and disabled before anything else runs: while enabled, awaits are nine times slower.
 */
import inspector from "node:inspector";
import { RaiaError } from "../base/errors.ts";

/** One level of a function's scope chain, innermost first. Its object is a fresh copy: reading a variable that is not initialised yet throws. */
export interface ScopeLevel {
  readonly type: string;
  readonly variables: object;
}

export interface BoundParts {
  readonly target: Function;
  readonly boundThis: unknown;
  readonly boundArguments: readonly unknown[];
}

/** Line and column count from 0, as V8 does. */
export interface FunctionPlace {
  readonly scriptId: string;
  readonly line: number;
  readonly column: number;
}

export interface FunctionInside {
  /** Absent for native and bound functions. */
  readonly place?: FunctionPlace;
  readonly scopes: readonly ScopeLevel[];
  readonly bound?: BoundParts;
}

/** What V8 executed: after type stripping or a bundler's transform. */
export interface ScriptText {
  readonly url: string;
  readonly text: string;
  readonly isModule: boolean;
  /** Where the text begins in its file; not 0 for code compiled with an offset. */
  readonly startLine: number;
  readonly startColumn: number;
}

/** Reads the scopes and the place of `fn`. 0.1 to 0.3 ms. */
export function lookInside(fn: Function): FunctionInside {
  return inspecting((session) => {
    const { objectId, internal } = internals(session, fn);
    const target = internal.get("[[TargetFunction]]");
    if (target !== undefined) {
      const boundList = realValues(session, objectId, [required(internal, "[[BoundArgs]]")])[0] as unknown[];
      const [targetFunction, boundThis] = realValues(session, objectId, [target, required(internal, "[[BoundThis]]")]);
      return { scopes: [], bound: { target: targetFunction as Function, boundThis, boundArguments: [...boundList] } };
    }
    const scopeList = internal.get("[[Scopes]]");
    const levels =
      scopeList === undefined ? [] : (realValues(session, objectId, [scopeList])[0] as { description: string; object: object }[]);
    const scopes = Array.from(levels, ({ description, object }) => ({ type: description, variables: object }));
    const location = internal.get("[[FunctionLocation]]")?.value as
      | { scriptId: string; lineNumber: number; columnNumber: number }
      | undefined;
    if (location === undefined) return { scopes };
    return { scopes, place: { scriptId: location.scriptId, line: location.lineNumber, column: location.columnNumber } };
  });
}

/** The private fields (`#x`) of an object or, for a class, its static ones. Methods are not listed: they belong to the class text. */
export function privateFields(owner: object): Map<string, unknown> {
  return inspecting((session) => {
    const { objectId, privateProperties } = internals(session, owner);
    const fields = privateProperties.filter((field) => field.value !== undefined);
    const values = realValues(
      session,
      objectId,
      fields.map((field) => field.value as RemoteObject),
    );
    return new Map(fields.map((field, index) => [field.name, values[index]]));
  });
}

/** The entries of a WeakMap (`[key, value]`) or the members of a WeakSet (`[key, undefined]`) that are alive now. */
export function weakEntries(collection: WeakMap<object, unknown> | WeakSet<object>): [key: object, value: unknown][] {
  return inspecting((session) => {
    const { objectId, internal } = internals(session, collection);
    const list = internal.get("[[Entries]]");
    if (list === undefined) return [];
    const entries = realValues(session, objectId, [list])[0] as { key?: object; value: unknown }[];
    return Array.from(entries, (entry): [object, unknown] =>
      entry.key === undefined ? [entry.value as object, undefined] : [entry.key, entry.value],
    );
  });
}

/**
 * The text of a script as V8 executed it, with where it begins in its file. The first call in a process costs 30 to 120 ms, which
 * is V8 listing and hashing every script it knows; later ones 2 to 12 ms.
 */
export function scriptText(scriptId: string): ScriptText {
  return inspecting((session) => readScript(session, scriptId));
}

/** Addresses known by script id; as many as there are scripts in the process. */
const addresses = new Map<string, string>();

/** The address of a script without its text (5 to 10 ms for new scripts, through the profiler's list); undefined when it is not listed. */
export function scriptAddress(scriptId: string): string | undefined {
  // A coverage run has the profiler in use; the debugger tells the address as well.
  if (!addresses.has(scriptId) && process.env.NODE_V8_COVERAGE === undefined) listAddresses();
  return addresses.get(scriptId);
}

function listAddresses(): void {
  inspecting((session) => {
    request(session, "Profiler.enable", {});
    const { result } = request<inspector.Profiler.GetBestEffortCoverageReturnType>(session, "Profiler.getBestEffortCoverage", {});
    request(session, "Profiler.disable", {});
    for (const { scriptId, url } of result) addresses.set(scriptId, url);
  });
}

type Session = inspector.Session;
type RemoteObject = inspector.Runtime.RemoteObject;
interface PrivateProperty {
  readonly name: string;
  readonly value?: RemoteObject;
}

/**
 * Where a value waits to be picked up from the other side of the inspector. All copies of the library in a process use the one that
 * the first of them made: each look is over before another begins.
 */
const PARKING = "__raiaParking";
const parking = sharedParking();
const REACH_PARKING = `process.getBuiltinModule("node:inspector").${PARKING}`;
const OBJECT_GROUP = "raia";

function sharedParking(): { park: unknown; fetched: unknown } {
  const place = inspector as { readonly [PARKING]?: { park: unknown; fetched: unknown } };
  if (place[PARKING] !== undefined) return place[PARKING];
  const made = { park: undefined, fetched: undefined };
  Object.defineProperty(inspector, PARKING, { value: made, configurable: true, writable: true });
  return made;
}

let connected: Session | undefined;

function connect(): Session {
  if (connected !== undefined) return connected;
  try {
    const session = new inspector.Session();
    session.connect();
    connected = session;
    return session;
  } catch (error) {
    throw new RaiaError(
      "UNSUPPORTED",
      {
        what: "reading a function's captured variables",
        reason: "the inspector cannot be used in this process",
        wayOut: "start Node with --allow-inspector when it runs with --permission",
      },
      { cause: error },
    );
  }
}

/** Runs one look and lets go of everything it touched; without the release every inspected closure would leak. */
function inspecting<T>(look: (session: Session) => T): T {
  const session = connect();
  try {
    return look(session);
  } finally {
    parking.park = undefined;
    parking.fetched = undefined;
    session.post("Runtime.releaseObjectGroup", { objectGroup: OBJECT_GROUP });
  }
}

interface Internals {
  readonly objectId: string;
  readonly internal: Map<string, RemoteObject>;
  readonly privateProperties: readonly PrivateProperty[];
}

function internals(session: Session, owner: object): Internals {
  parking.park = owner;
  const { result } = request<inspector.Runtime.EvaluateReturnType>(session, "Runtime.evaluate", {
    expression: `${REACH_PARKING}.park`,
    objectGroup: OBJECT_GROUP,
  });
  const objectId = result.objectId as string;
  const properties = request<PropertiesReply>(session, "Runtime.getProperties", { objectId, ownProperties: true });
  const internal = new Map(
    (properties.internalProperties ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
  );
  return { objectId, internal, privateProperties: properties.privateProperties ?? [] };
}

type PropertiesReply = inspector.Runtime.GetPropertiesReturnType & {
  readonly privateProperties?: readonly PrivateProperty[];
};

/** Turns the inspector's handles back into the values themselves, so that identity is kept. */
function realValues(session: Session, objectId: string, handles: readonly RemoteObject[]): unknown[] {
  request(session, "Runtime.callFunctionOn", {
    objectId,
    objectGroup: OBJECT_GROUP,
    functionDeclaration: `function (...values) { ${REACH_PARKING}.fetched = values; }`,
    arguments: handles.map(callArgument),
  });
  return [...(parking.fetched as unknown[])];
}

function callArgument(handle: RemoteObject): inspector.Runtime.CallArgument {
  if (handle.objectId !== undefined) return { objectId: handle.objectId };
  if (handle.unserializableValue !== undefined) return { unserializableValue: handle.unserializableValue };
  return handle.type === "undefined" ? {} : { value: handle.value as unknown };
}

function required(internal: ReadonlyMap<string, RemoteObject>, name: string): RemoteObject {
  const found = internal.get(name);
  if (found === undefined) throw new RaiaError("UNSUPPORTED", { what: "this version of V8", reason: `it does not show ${name}` });
  return found;
}

function readScript(session: Session, scriptId: string): ScriptText {
  let meta: inspector.Debugger.ScriptParsedEventDataType | undefined;
  const listener = ({ params }: { params: inspector.Debugger.ScriptParsedEventDataType }): void => {
    if (params.scriptId === scriptId) meta = params;
  };
  session.on("Debugger.scriptParsed", listener);
  try {
    request(session, "Debugger.enable", {});
    const { scriptSource } = request<inspector.Debugger.GetScriptSourceReturnType>(session, "Debugger.getScriptSource", { scriptId });
    if (meta !== undefined) addresses.set(scriptId, meta.url);
    return {
      url: meta?.url ?? "",
      text: scriptSource,
      isModule: meta?.isModule ?? false,
      startLine: meta?.startLine ?? 0,
      startColumn: meta?.startColumn ?? 0,
    };
  } finally {
    session.off("Debugger.scriptParsed", listener);
    session.post("Debugger.disable");
  }
}

function request<Reply>(session: Session, method: string, parameters: object): Reply {
  let failure: Error | null = null;
  let reply: unknown;
  session.post(method, parameters, (error, result) => {
    failure = error;
    reply = result;
  });
  if (failure !== null) throw new RaiaError("UNSUPPORTED", { what: method, reason: "the inspector refused it" }, { cause: failure });
  const { exceptionDetails } = reply as { exceptionDetails?: inspector.Runtime.ExceptionDetails };
  if (exceptionDetails !== undefined)
    throw new RaiaError("UNSUPPORTED", { what: method, reason: exceptionDetails.exception?.description ?? exceptionDetails.text });
  return reply as Reply;
}
