import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cheapestWindow, type Placed } from "./eviction-policy.ts";

/** A picture of the arena: "." free, "#" not movable, a letter for each movable object. */
function parse(picture: string): { used: Uint8Array; candidates: (Placed & { name: string })[] } {
  const used = Uint8Array.from(picture, (char) => (char === "." ? 0 : 1));
  const names = new Set(picture.replaceAll(/[.#]/g, ""));
  const candidates = [...names].map((name) => ({
    name,
    firstBlock: picture.indexOf(name),
    blocks: picture.lastIndexOf(name) - picture.indexOf(name) + 1,
  }));
  return { used, candidates };
}

function leaving(picture: string, need: number): string | undefined {
  const { used, candidates } = parse(picture);
  return cheapestWindow(used, candidates, need)
    ?.map(({ name }) => name)
    .join("");
}

test("eviction: the window that costs fewest bytes", () => {
  assert.equal(leaving("aaaa..bb#cc", 4), "b");
  assert.equal(leaving("aaaabb", 2), "b");
  assert.equal(leaving("a..b..c", 5), "b");
});

test("eviction: nothing leaves when there is room, and nothing helps when readers are in the way", () => {
  assert.equal(leaving("aa...bb", 3), "");
  assert.equal(leaving("aa#..#bb", 3), undefined);
  assert.equal(leaving("", 1), undefined);
});

test("eviction: clearing the window makes room, and no other window is cheaper", () => {
  const piece = fc.tuple(fc.constantFrom(".", "#", "x"), fc.integer({ min: 1, max: 4 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (pieces, need) => {
      const picture = pieces
        .map(([kind, length], index) => (kind === "x" ? String.fromCharCode(97 + index) : kind).repeat(length))
        .join("");
      const found = leaving(picture, need);
      assert.equal(found === undefined ? undefined : costOf(picture, found), bruteForce(picture, need));
      if (found !== undefined)
        assert.ok(
          Array.from(picture)
            .map((char) => (found.includes(char) ? "." : char))
            .join("")
            .includes(".".repeat(need)),
        );
    }),
    { numRuns: 500, seed: 11 },
  );
});

function costOf(picture: string, names: string): number {
  return Array.from(picture).filter((char) => names.includes(char)).length;
}

function bruteForce(picture: string, need: number): number | undefined {
  const costs: number[] = [];
  for (let start = 0; start + need <= picture.length; start++) {
    const window = picture.slice(start, start + need);
    if (!window.includes("#")) costs.push(costOf(picture, window.replaceAll(".", "")));
  }
  return costs.length === 0 ? undefined : Math.min(...costs);
}
