import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut, type PlacedText } from "./function-layout.ts";

/** Texts at the places where they stand in `source`. */
function placed(source: string, ...texts: readonly string[]): PlacedText[] {
  return texts.map((text) => {
    const start = source.indexOf(text);
    const before = source.slice(0, start).split("\n");
    return {
      start,
      end: start + text.length,
      line: before.length - 1,
      column: (before.at(-1) as string).length,
      before: "<<<",
      text,
      after: ">>>",
    };
  });
}

function assertPlaces(source: string, texts: readonly PlacedText[], firstLine = -1): string {
  const { text, startLine } = layOut("HEADER", texts, "FOOTER", firstLine);
  const lines = text.split("\n");
  for (const { text: wanted, line, column } of texts) {
    const first = wanted.split("\n")[0] as string;
    assert.equal(lines[line - startLine]?.slice(column, column + first.length), first, `${first} of ${source}`);
  }
  return text;
}

test("each text stands where it stood", () => {
  const source = "\n\n  first()\n      second(\n  ok)\n\n third  fourth";
  const text = assertPlaces(source, placed(source, "first()", "second(\n  ok)", "third"));
  assert.ok(text.startsWith("HEADER") && text.endsWith("FOOTER"));
});

test("the first line of a file is kept through a line before it", () => {
  const source = "  first()";
  assertPlaces(source, placed(source, "first()"));
});

test("a text within another comes after all, whole", () => {
  const source = "\nouter(inner())";
  const text = layOut("", placed(source, "inner()", "outer(inner())"), "", -1).text;
  assert.ok(text.indexOf("<<<\n") < text.indexOf("<<<inner()>>>"), text);
});

test("too little room on a line moves only that text", () => {
  const source = "\na()b()\n   c()";
  const texts = placed(source, "a()", "b()", "c()");
  const { text, startLine } = layOut("", texts, "", -1);
  const lines = text.split("\n");
  assert.equal(lines[1 - startLine], "a()>>><<<b()>>><<<");
  assert.equal(lines[2 - startLine], "   c()>>>");
});
