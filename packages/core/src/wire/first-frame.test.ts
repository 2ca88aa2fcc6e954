import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { answerOf, failureFrame, FirstFrameReader, messageFrame } from "./first-frame.ts";
import { Dial, Join, Splice, TellClock } from "./gateway-messages.ts";
import { packr } from "./msgpack.ts";

const frame = messageFrame(Dial, { address: "10.0.0.1:1/w" });

test("first frame: whole from any pieces, and what comes behind it is handed back", () => {
  for (let cut = 0; cut <= frame.length; cut++) {
    const reader = new FirstFrameReader(1024);
    const bytes = Buffer.concat([frame, Buffer.from("rest")]);
    const first = reader.push(bytes.subarray(0, cut)) ?? reader.push(bytes.subarray(cut));
    assert.ok(first !== undefined);
    assert.deepEqual(answerOf(Dial, first), { address: "10.0.0.1:1/w" });
    assert.ok("rest".startsWith(first.rest.toString()));
  }
});

test("first frame: a length out of bounds is refused before its bytes come", () => {
  for (const length of [0, 6, 1025, 2 ** 31, 2 ** 32 - 1]) {
    const header = Buffer.alloc(4);
    header.writeUInt32LE(length);
    assert.throws(
      () => new FirstFrameReader(1024).push(header),
      (error) => RaiaError.is(error, "PROTOCOL"),
      String(length),
    );
  }
});

test("first frame: a failure is thrown as what it says, another message as PROTOCOL", () => {
  const read = (bytes: Buffer) => new FirstFrameReader(4096).push(bytes)!;
  const failure = failureFrame(new RaiaError("CONNECTION_LOST", { cause: "gone" }));
  assert.throws(() => answerOf(TellClock, read(failure)), { code: "CONNECTION_LOST", facts: { cause: "gone" } });
  assert.throws(() => answerOf(TellClock, read(frame)), { code: "PROTOCOL" });
});

test("first frame: whatever bytes come, there is a value or a PROTOCOL error, and no prototype changes (D-T32)", () => {
  const random = seededRandom(7);
  const evil = [
    packr.pack(JSON.parse('{"__proto__":{"polluted":1}}')),
    packr.pack([JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'), "w"]),
    Buffer.alloc(900, 0x91), // A list in a list in a list.
    Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), // A list of four thousand million.
    Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff]), // As many bytes.
    Buffer.from([0xdb, 0x7f, 0xff, 0xff, 0xff]), // A text of two thousand million.
    ...Array.from({ length: 3_000 }, (_, index) => Buffer.from(random.bytes(index % 64))),
  ];
  for (const body of evil) {
    const bytes = Buffer.alloc(11 + body.length);
    bytes.writeUInt32LE(bytes.length - 4);
    body.copy(bytes, 11);
    for (const type of [Splice, Join]) {
      bytes.writeUInt16LE(type.tag, 5);
      try {
        answerOf<unknown>(type, new FirstFrameReader(1024).push(bytes)!);
      } catch (error) {
        assert.ok(RaiaError.is(error, "PROTOCOL"), String(error));
      }
    }
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
