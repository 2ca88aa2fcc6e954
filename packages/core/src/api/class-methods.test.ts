import assert from "node:assert/strict";
import test from "node:test";
import { checkMethodNames, generatorMethodsOf } from "./class-methods.ts";

class Base {
  reset(): void {}
}
class Counter extends Base {
  readonly later = (): number => 1;
  inc(): number {
    return 1;
  }
  *items(): Generator<number> {
    yield 1;
  }
  async *more(): AsyncGenerator<number> {
    yield 1;
  }
}

test("options of a method that the class has not are refused with the nearest that it has", () => {
  assert.throws(() => checkMethodNames(Counter, ["incc"]), {
    code: "INVALID_OPTION",
    message: /option=methods\.incc .*Counter has no such method; did you mean inc\? nearest=inc/,
  });
  assert.throws(() => checkMethodNames(Counter, ["rest"]), { message: /did you mean reset\?/ });
  assert.throws(() => checkMethodNames(Counter, ["elsewhere"]), {
    message: /Counter has no such method nearest|Counter has no such method\. /,
  });
});

test("methods of its own, of a class it extends, and functions in fields are the class's", () => {
  checkMethodNames(Counter, ["inc", "reset", "items", "later"]);
  checkMethodNames(Map, ["whatever"]); // Its code is not shown: nothing is known against it.
});

test("generators are found among the methods", () => {
  assert.deepEqual(generatorMethodsOf(Counter), ["items", "more"]);
});
