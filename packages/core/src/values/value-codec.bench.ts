/**
 * What encoding and decoding cost, in nanoseconds each: small values as calls carry them, and larger ones in the packed form.
 *
 *     node packages/core/src/values/value-codec.bench.ts
 */
import { ByteWriter } from "../base/byte-writer.ts";
import { memoryOf } from "./value-fixture.ts";
import { decodeStored, decodeValue, encodeValue, packValue, tryEncodeSmall, type ValueHooks } from "./value-codec.ts";

const hooks: ValueHooks = { replace: () => undefined, revive: () => undefined };

const small: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  "42": 42,
  "1.5": 1.5,
  '"ok"': "ok",
  "string of 40": "x".repeat(40),
  'Buffer "ok"': Buffer.from("ok"),
  "[]": [],
  "[42]": [42],
  '[1, "a"]': [1, "a"],
  "{ x: 1, y: 2 }": { x: 1, y: 2 },
  "{ id, name, tags }": { id: 123456, name: "a name of 20 letters", tags: ["a", "b"] },
};

const rows = Array.from({ length: 1000 }, (_, index) => ({ id: index, name: `row ${index}`, score: index / 3 }));
const packed: Readonly<Record<string, unknown>> = {
  "new Map([[1, 2]])": new Map([[1, 2]]),
  "8 MiB Float64Array": new Float64Array(1 << 20),
  "1,000 rows of 3": rows,
  "100,000 numbers": Array.from({ length: 100_000 }, (_, index) => index * 1.5),
  "deep list of 10,000": deepList(10_000),
};

function deepList(length: number): object {
  let list: object = {};
  for (let i = 0; i < length; i++) list = { next: list };
  return list;
}

/** Nanoseconds a call, the best of five rounds. */
function nanoseconds(run: () => void, roundMs = 60): number {
  let calls = 1;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) run();
    const spent = Number(process.hrtime.bigint() - start);
    if (round > 2) best = Math.min(best, spent / calls);
    calls = Math.max(1, Math.ceil((calls * roundMs * 1e6) / Math.max(spent, 1)));
    calls = Math.min(calls, 5_000_000);
  }
  return best;
}

function show(name: string, form: string, encodeNs: number, decodeNs: number): void {
  console.log(`${name.padEnd(24)} ${form.padEnd(7)} encode ${encodeNs.toFixed(0).padStart(9)}   decode ${decodeNs.toFixed(0).padStart(9)}`);
}

const writer = new ByteWriter(64 * 1024);
for (const [name, value] of Object.entries(small)) {
  writer.reset();
  if (!tryEncodeSmall(writer, value)) throw new Error(`${name} is not small`);
  const { buffer, position } = writer;
  const encodeNs = nanoseconds(() => {
    writer.position = 0;
    tryEncodeSmall(writer, value);
  });
  show(
    name,
    "small",
    encodeNs,
    nanoseconds(() => void decodeValue(buffer, 0, position, hooks)),
  );
}
for (const [name, value] of Object.entries(packed)) {
  const encoded = encodeValue(value, hooks);
  const bytes = Buffer.alloc(encoded.byteLength);
  packValue(encoded, bytes);
  const encodeNs = nanoseconds(() => void encodeValue(value, hooks));
  show(
    name,
    "packed",
    encodeNs,
    nanoseconds(() => void decodeStored(memoryOf(bytes), hooks)),
  );
}
