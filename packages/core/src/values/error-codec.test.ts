import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { RaiaError } from "../base/errors.ts";
import { appendRemoteFrames, encodeError, errorNameOf, reviveError } from "./error-codec.ts";
import type { ValueHooks } from "./value-codec.ts";

const hooks: ValueHooks = { replace: () => undefined, revive: () => undefined };
const place = { task: "parse", node: "n1", pid: 81 };

function trip(thrown: unknown, callerStack?: string): unknown {
  return reviveError(encodeError(thrown, hooks, place), hooks, callerStack);
}

/** Own properties, hidden ones too, without the stack. */
function properties(error: unknown): Record<string, unknown> {
  const { stack: _stack, ...others } = Object.fromEntries(
    Object.getOwnPropertyNames(error).map((key) => [key, (error as Record<string, unknown>)[key]]),
  );
  return others;
}

class HttpError extends TypeError {
  readonly status: number;
  constructor(status: number, options?: ErrorOptions) {
    super(`status ${status}`, options);
    this.name = "HttpError";
    this.status = status;
  }
}

describe("errors: built-in classes", () => {
  for (const type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    test(type.name, () => {
      const copy = trip(new type("wrong"));
      assert.equal(Object.getPrototypeOf(copy), type.prototype);
      assert.deepEqual(properties(copy), { message: "wrong" });
    });
  }

  test("AggregateError keeps its errors", () => {
    const copy = trip(new AggregateError([new RangeError("a"), "b"], "all failed")) as AggregateError;
    assert.ok(copy instanceof AggregateError);
    assert.ok(copy.errors[0] instanceof RangeError);
    assert.equal(copy.errors[1], "b");
    assert.equal(Object.prototype.propertyIsEnumerable.call(copy, "errors"), false);
  });

  test("DOMException keeps its name", () => {
    const copy = trip(AbortSignal.abort().reason) as DOMException;
    assert.ok(copy instanceof DOMException);
    assert.equal(copy.name, "AbortError");
  });

  test("a system error keeps code, errno and syscall", () => {
    const error = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", errno: -2, syscall: "open", path: "/x" });
    const copy = trip(error) as NodeJS.ErrnoException;
    assert.deepEqual({ ...copy }, { code: "ENOENT", errno: -2, syscall: "open", path: "/x" });
  });

  test("RaiaError stays one, with code and facts", () => {
    const copy = trip(new RaiaError("STORE_FULL", { budget: 5, owners: ["a"] }, { cause: new Error("disk") })) as RaiaError;
    assert.ok(copy instanceof RaiaError);
    assert.equal(copy.code, "STORE_FULL");
    assert.deepEqual(copy.facts, { budget: 5, owners: ["a"] });
    assert.match(copy.message, /^\[STORE_FULL\]/);
    assert.equal((copy.cause as Error).message, "disk");
  });
});

describe("errors: causes and properties", () => {
  test("a chain of causes, and a cycle in it", () => {
    const root = new Error("root");
    const error = new RangeError("top", { cause: new TypeError("middle", { cause: root }) });
    root.cause = error;
    const copy = trip(error) as Error;
    const middle = copy.cause as Error;
    assert.ok(middle instanceof TypeError);
    assert.equal((middle.cause as Error).cause, copy);
  });

  test("cause that is undefined is not cause that is absent", () => {
    assert.ok(Object.hasOwn(trip(new Error("a", { cause: undefined })) as Error, "cause"));
    assert.equal(Object.hasOwn(trip(new Error("a")) as Error, "cause"), false);
  });

  test("a text stands for what cannot be sent, and its place is named; what can be sent beside it is", () => {
    const error = Object.assign(
      new HttpError(500, { cause: Object.assign(new Error("inner"), { socket: new (class Socket {})(), port: 5 }) }),
      {
        response: { status: 500, json() {}, headers: [["a", Symbol("b")]] },
        body: "kept",
      },
    );
    const copy = trip(error) as Error & { body: string; status: number };
    assert.equal(copy.body, "kept");
    assert.equal(copy.status, 500);
    assert.deepEqual((copy as unknown as { response: unknown }).response, {
      status: 500,
      json: "[function json: cannot be sent]",
      headers: [["a", "[Symbol(b): cannot be sent]"]],
    });
    assert.deepEqual({ ...(copy.cause as object) }, { socket: "[Socket: cannot be sent]", port: 5 });
    const omitted = /\(not sent: (.*)\) ---/.exec(String(copy.stack))?.[1]?.split(", ").toSorted();
    assert.deepEqual(omitted, ["cause.socket", "response.headers[0][1]", "response.json"]);
  });

  test("a cause that cannot be sent is a text, and a cycle stays one", () => {
    const context: Record<string, unknown> = { socket: new (class Socket {})() };
    context["self"] = context;
    const copy = trip(new Error("outer", { cause: context })) as { cause: { socket: string; self: unknown } };
    assert.equal(copy.cause.socket, "[Socket: cannot be sent]");
    assert.equal(copy.cause.self, copy.cause);
    assert.equal((trip(new Error("outer", { cause: new (class Socket {})() })) as Error).cause, "[Socket: cannot be sent]");
  });

  test("an aggregate with one member that cannot be sent whole", () => {
    const copy = trip(new AggregateError([Object.assign(new Error("a"), { f: () => {} }), new Error("b")])) as AggregateError;
    assert.deepEqual(
      copy.errors.map((error: Error) => error.message),
      ["a", "b"],
    );
  });

  test("a getter that throws is a text", () => {
    const error = new Error("outer");
    Object.defineProperty(error, "wrong", {
      enumerable: true,
      get() {
        throw new Error("inner");
      },
    });
    const copy = trip(error) as Error;
    assert.equal(copy.message, "outer");
    assert.equal((copy as unknown as { wrong: string }).wrong, "[cannot be read]");
  });

  test("a class that is not known here arrives as its nearest ancestor, under its name", () => {
    const copy = trip(new HttpError(404)) as HttpError;
    assert.ok(copy instanceof TypeError);
    assert.equal(copy.name, "HttpError");
    assert.equal(copy.status, 404);
    assert.match(String(copy.stack), /status 404/);
  });
});

describe("errors: what is thrown and is none", () => {
  for (const thrown of ["text", 5, undefined, null, { code: 1, at: [new Date(0)] }, new Map([[1, 2]]), 10n]) {
    test(`throw ${typeof thrown === "bigint" ? "10n" : (JSON.stringify(thrown) ?? "undefined")}`, () => {
      assert.deepStrictEqual(trip(thrown), thrown);
      assert.deepEqual(errorNameOf(encodeError(thrown, hooks, place)), []);
    });
  }

  test("an object that cannot be sent is refused", () => {
    assert.throws(
      () => encodeError({ f: () => {} }, hooks, place),
      (error) => RaiaError.is(error, "UNSERIALIZABLE"),
    );
  });
});

describe("errors: names for retries", () => {
  test("own name, class and ancestors", () => {
    class Timeout extends HttpError {}
    assert.deepEqual(errorNameOf(encodeError(new Timeout(408), hooks, place)), ["HttpError", "Timeout", "TypeError", "Error"]);
    assert.deepEqual(errorNameOf(encodeError(new RaiaError("STORE_FULL"), hooks, place)), ["RaiaError", "Error"]);
  });

  test("a name that is no text does no harm", () => {
    const error = Object.assign(new Error("m"), { name: { toString: () => assert.fail("asked") } });
    assert.ok(errorNameOf(encodeError(error, hooks, place)).length <= 2);
  });
});

describe("errors: the stack", () => {
  test("remote frames, where they ran, then the caller's", () => {
    const error = new Error("wrong");
    error.stack = "Error: wrong\n    at remote (file:///app/tasks.ts:1:2)";
    const copy = trip(error, "    at main (file:///app/main.ts:3:4)") as Error;
    assert.equal(
      copy.stack,
      [
        "Error: wrong",
        "    at remote (file:///app/tasks.ts:1:2)",
        "    --- remote task parse @n1 pid 81 ---",
        "    at main (file:///app/main.ts:3:4)",
      ].join("\n"),
    );
    assert.equal(Object.prototype.propertyIsEnumerable.call(copy, "stack"), false);
  });

  test("an error without a stack shows its message", () => {
    const error = new RangeError("bare");
    delete error.stack;
    appendRemoteFrames(error, place);
    assert.equal(error.stack, "RangeError: bare\n    --- remote task parse @n1 pid 81 ---");
  });
});

test("errors: bytes that were changed or cut are refused or read", () => {
  const bytes = encodeError(Object.assign(new HttpError(500, { cause: new Error("c") }), { detail: { a: [1, 2] } }), hooks, place);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(bytes.length), (edits, length) => {
      const broken = Uint8Array.from(bytes).subarray(0, length);
      for (const [at, byte] of edits) if (at < length) broken[at] = byte;
      for (const read of [() => errorNameOf(broken), () => reviveError(broken, hooks)]) {
        try {
          read();
        } catch (error) {
          assert.ok(RaiaError.is(error), String(error));
        }
      }
    }),
    { numRuns: 2000, seed: 4 },
  );
});
