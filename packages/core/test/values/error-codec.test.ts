/** In a folder with modules of its own: classes of a test file cannot be imported by anybody else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { RaiaError } from "../../src/base/errors.ts";
import { encodeError, errorNameOf, reviveError } from "../../src/values/error-codec.ts";
import { memoryOf } from "../../src/values/value-fixture.ts";
import { decodeStored, encodeValue, packValue, type ValueHooks } from "../../src/values/value-codec.ts";
import { NamedError, PaymentError } from "./shop-errors.ts";

const hooks: ValueHooks = { replace: () => undefined, revive: () => undefined };
const place = { task: "f", pid: 81, node: "n1" };

function through(thrown: unknown, callerStack?: string): unknown {
  return reviveError(encodeError(thrown, hooks, place), hooks, callerStack);
}

function throughError(thrown: Error, callerStack?: string): Error & Record<string, unknown> {
  const back = through(thrown, callerStack);
  assert.ok(back instanceof Error);
  return back as Error & Record<string, unknown>;
}

test("errors: a class of an importable module comes back as itself, without its constructor running", () => {
  const back = throughError(new PaymentError("no money", 5, { cause: new NamedError("inner") }));
  assert.ok(back instanceof PaymentError);
  assert.equal(back.half, 2.5);
  assert.ok(back.cause instanceof NamedError);
  assert.deepEqual([back.name, back.message, (back.cause as Error).name], ["TypeError", "no money", "NamedByGetter"]);
  assert.deepEqual(Object.keys(back), ["amount"]);
  assert.deepEqual(errorNameOf(encodeError(new PaymentError("x", 1), hooks, place)), ["TypeError", "PaymentError", "Error"]);
});

test("errors: a class that cannot be had leaves its name and its properties", () => {
  class LocalError extends RangeError {
    detail = { list: [1] };
  }
  const back = throughError(new LocalError("local"));
  assert.ok(back instanceof RangeError);
  assert.deepEqual([back.name, back.message, back["detail"]], ["LocalError", "local", { list: [1] }]);
  assert.ok(errorNameOf(encodeError(new LocalError("x"), hooks, place)).includes("LocalError"));
});

test("errors: reviving one loads no module", () => {
  const peer = path.join(import.meta.dirname, "throw-elsewhere.ts");
  const bytes = Buffer.from(execFileSync(process.execPath, [peer], { encoding: "utf8" }), "base64");
  const back = reviveError(bytes, hooks, undefined) as Error & { detail?: number };
  assert.deepEqual([back.name, back.message, back.detail], ["ElsewhereError", "from elsewhere", 7]);
  assert.equal((globalThis as { neverLoadedRan?: boolean }).neverLoadedRan, undefined);
  assert.match(String(back.stack), /--- remote task far @n2 pid \d+ ---/);
});

test("errors: built-in classes, gathered errors and causes", () => {
  for (const errorClass of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const back = throughError(new errorClass("text", { cause: { code: 1 } }));
    assert.equal(Object.getPrototypeOf(back), errorClass.prototype);
    assert.deepEqual(back.cause, { code: 1 });
    assert.deepEqual(Object.keys(back), []);
  }
  const many = throughError(new AggregateError([new TypeError("a"), "b"], "many")) as unknown as AggregateError;
  assert.ok(many instanceof AggregateError && many.errors[0] instanceof TypeError);
  assert.deepEqual([many.errors.length, many.errors[1], Object.keys(many)], [2, "b", []]);
  const aborted = throughError(new DOMException("stopped", "AbortError"));
  assert.ok(aborted instanceof DOMException);
  assert.deepEqual([aborted.name, aborted.code, aborted.message], ["AbortError", 20, "stopped"]);
  const system = throughError(Object.assign(new Error("ENOENT: gone"), { code: "ENOENT", errno: -2 }));
  assert.deepEqual([system["code"], system["errno"]], ["ENOENT", -2]);
});

test("errors: one of Raia's own keeps code, facts and cause", () => {
  const back = throughError(new RaiaError("ACTOR_DIED", { actor: "a1", list: [1] }, { cause: new PaymentError("p", 1) }));
  assert.ok(RaiaError.is(back, "ACTOR_DIED"));
  assert.deepEqual(back.facts, { actor: "a1", list: [1] });
  assert.ok(back.cause instanceof PaymentError);
  assert.equal(back.message, new RaiaError("ACTOR_DIED", { actor: "a1", list: [1] }).message);
});

test("errors: one of Raia's own with a code of another version keeps what it says", () => {
  const bytes = Buffer.from(encodeError(new RaiaError("ACTOR_DIED", { actor: "a1" }), hooks, place));
  bytes.write("ACTOR_TIRED".slice(0, "ACTOR_DIED".length), bytes.indexOf("ACTOR_DIED"));
  const back = reviveError(bytes, hooks, undefined) as Error & Record<string, unknown>;
  assert.ok(!RaiaError.is(back));
  assert.deepEqual([back["code"], back["facts"]], ["ACTOR_TIRE", { actor: "a1" }]);
});

test("errors: what is thrown and no error survives as it is", () => {
  for (const thrown of ["text", undefined, null, 0, { code: 1 }, [new Map([[1, 2]])]]) assert.deepStrictEqual(through(thrown), thrown);
  for (const thrown of [() => 1, Symbol("s")])
    assert.throws(
      () => encodeError(thrown, hooks, place),
      (error) => RaiaError.is(error, "UNSERIALIZABLE"),
    );
  assert.deepEqual(errorNameOf(encodeError("text", hooks, place)), []);
});

test("errors: a text stands for what cannot be sent, and its place is named", () => {
  const failure = Object.assign(new PaymentError("declined", 3), { socket: new net.Socket(), status: 402, retry: () => 1 });
  failure.cause = Object.assign(new Error("inner"), { agent: Symbol("agent"), port: 80 });
  const back = throughError(failure);
  assert.ok(back instanceof PaymentError);
  assert.deepEqual(Object.keys(back).toSorted(), ["amount", "cause", "retry", "socket", "status"]);
  assert.equal((back as unknown as { socket: string }).socket, "[Socket: cannot be sent]");
  assert.equal((back.cause as Error & { port: number }).port, 80);
  assert.match(String(back.stack), /not sent: .*socket/);
});

test("errors: the caller's frames follow the remote ones", () => {
  const remote = new Error("far");
  remote.stack = "Error: far\n    at task (/app/task.ts:1:1)";
  const lines = String(throughError(remote, "    at caller (/app/main.ts:2:2)").stack).split("\n");
  assert.deepEqual(lines, [
    "Error: far",
    "    at task (/app/task.ts:1:1)",
    "    --- remote task f @n1 pid 81 ---",
    "    at caller (/app/main.ts:2:2)",
  ]);
});

test("errors: a very long stack loses its middle", () => {
  const error = new Error("long");
  error.stack = `Error: long\n${"    at somewhere (/app/file.ts:1:1)\n".repeat(100_000)}`;
  assert.ok(encodeError(error, hooks, place).length < 100_000);
});

test("errors: cycles and long chains of causes", () => {
  const cyclic = new Error("cyclic");
  cyclic.cause = cyclic;
  const back = throughError(cyclic);
  assert.equal(back.cause, back);
  let chain = new Error("0");
  for (let i = 1; i <= 3000; i++) chain = new Error(String(i), { cause: chain });
  let length = 0;
  for (let at: unknown = throughError(chain); at instanceof Error; at = at.cause) length++;
  assert.equal(length, 3001);
});

test("errors: as values among others they keep class and identity", () => {
  const error = new PaymentError("shared", 8);
  const encoded = encodeValue({ error, again: [error] }, hooks);
  const bytes = new Uint8Array(encoded.byteLength);
  packValue(encoded, bytes);
  const back = decodeStored(memoryOf(bytes), hooks) as { error: PaymentError; again: PaymentError[] };
  assert.ok(back.error instanceof PaymentError);
  assert.equal(back.again[0], back.error);
  assert.equal(back.error.stack, error.stack);
});

test("errors: bytes that are none are refused", () => {
  const bytes = encodeError(new PaymentError("x", 1, { cause: "y" }), hooks, place);
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(
      () => reviveError(bytes.subarray(0, end), hooks, undefined),
      (error) => RaiaError.is(error, "PROTOCOL"),
    );
  }
});
