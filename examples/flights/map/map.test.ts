import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { parseAirports } from "../airports.ts";
import { unitedStates } from "./albers.ts";
import { delayColour } from "./colours.ts";
import { placeLabels } from "./labels.ts";
import { stateRings } from "./outlines.ts";
import { element, polyline, text } from "./svg.ts";
import { openTypeOf } from "./woff.ts";

test("projection: north is up, east is right, and areas are kept", () => {
  const project = unitedStates({ x: 0, y: 0, width: 800, height: 565 });
  const at = (longitude: number, latitude: number) =>
    project(longitude, latitude) ?? assert.fail(`${longitude}, ${latitude} is not on the map`);
  const [seattle, miami, boston] = [at(-122.3, 47.4), at(-80.3, 25.8), at(-71, 42.4)];
  assert.ok(seattle[0] < miami[0] && miami[0] < boston[0]);
  assert.ok(seattle[1] < boston[1] && boston[1] < miami[1]);

  // One degree by one, in the south and in the north: as different as the sphere has it.
  const areaAt = (longitude: number, latitude: number) => {
    const [a, b, c] = [at(longitude, latitude), at(longitude + 0.1, latitude), at(longitude, latitude + 0.1)];
    return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]));
  };
  const onSphere = Math.cos((26.05 * Math.PI) / 180) / Math.cos((48.05 * Math.PI) / 180);
  assert.ok(Math.abs(areaAt(-81, 26) / areaAt(-120, 48) / onSphere - 1) < 0.005);
});

test("projection: Alaska, Hawaii and Puerto Rico are on the map, Guam is not", () => {
  const project = unitedStates({ x: 0, y: 0, width: 800, height: 565 });
  for (const [longitude, latitude] of [
    [-150, 61.2],
    [-157.9, 21.3],
    [-66, 18.4],
    [-176.6, 51.9],
    [174, 52.7],
  ] as const) {
    const point = project(longitude, latitude);
    assert.ok(
      point !== undefined && point[0] > -40 && point[0] < 800 && point[1] > 0 && point[1] < 565,
      `${longitude}, ${latitude}: ${String(point)}`,
    );
  }
  assert.equal(project(144.8, 13.5), undefined);
});

test("outlines: arcs are walked forwards and backwards and joined without doubling their ends", () => {
  const rings = stateRings({
    transform: { scale: [0.5, 2], translate: [10, 20] },
    arcs: [
      [
        [0, 0],
        [2, 0],
        [0, 2],
      ],
      [
        [0, 0],
        [0, 2],
        [2, 0],
      ],
    ],
    objects: { states: { geometries: [{ type: "Polygon", arcs: [[0, -2]] }] } },
  });
  assert.deepEqual(rings, [
    [
      [10, 20],
      [11, 20],
      [11, 24],
      [10, 24],
      [10, 20],
    ],
  ]);
});

test("colours: stops are met, neighbours are mixed, what lies beyond takes the end's", () => {
  assert.equal(delayColour(-50), delayColour(0));
  assert.equal(delayColour(1e6), delayColour(40));
  assert.notEqual(delayColour(5), delayColour(6));
  assert.match(delayColour(8.5), /^#[0-9a-f]{6}$/);
});

test("labels: none covers another or leaves the frame; the first comes first", () => {
  const within = { x: 0, y: 0, width: 200, height: 100 };
  const anchors = [
    { name: "ONE", x: 100, y: 50, radius: 4 },
    { name: "TWO", x: 104, y: 52, radius: 4 },
    { name: "EDGE", x: 198, y: 50, radius: 4 },
    { name: "HIDDEN", x: 20, y: 20, radius: 4 },
  ];
  const labels = placeLabels(anchors, { within, taken: [{ x: 0, y: 0, width: 80, height: 40 }], size: 12 });
  assert.deepEqual(
    labels.map(({ name, align }) => [name, align]),
    [
      ["ONE", "start"],
      ["TWO", "end"],
      ["EDGE", "end"],
    ],
  );
});

test("svg: text is escaped, numbers are short, points too near are left out", () => {
  assert.equal(text(1.234, 2, 'a<b & "c"'), '<text x="1.2" y="2">a&lt;b &amp; &quot;c&quot;</text>');
  assert.equal(element("g", { fill: undefined, id: "x" }), '<g id="x"/>');
  assert.equal(
    polyline(
      [
        [0, 0],
        [0.2, 0],
        [3, 4],
      ],
      1,
    ),
    "M0 0L3 4",
  );
});

test("woff: tables come back inflated, aligned and listed", () => {
  const plain = new TextEncoder().encode("abcde");
  const packed = deflateSync(new Uint8Array(400).fill(7));
  const woff = new Uint8Array(44 + 2 * 20 + 8 + packed.length);
  const view = new DataView(woff.buffer);
  view.setUint32(0, 0x774f4646);
  view.setUint32(4, 0x00010000);
  view.setUint16(12, 2);
  for (const [index, [tag, offset, stored, length]] of [
    [0x61616161, 84, plain.length, plain.length],
    [0x62626262, 92, packed.length, 400],
  ].entries()) {
    for (const [field, value] of [tag!, offset!, stored!, length!, 99].entries()) view.setUint32(44 + 20 * index + 4 * field, value);
  }
  woff.set(plain, 84);
  woff.set(packed, 92);

  const font = openTypeOf(woff);

  const read = new DataView(font.buffer);
  assert.equal(font.byteLength, 12 + 2 * 16 + 8 + 400);
  assert.deepEqual(
    [read.getUint32(0), read.getUint16(4), read.getUint16(6), read.getUint16(8), read.getUint16(10)],
    [0x00010000, 2, 32, 1, 0],
  );
  assert.deepEqual(
    [28, 32, 36, 40].map((at) => read.getUint32(at)),
    [0x62626262, 99, 52, 400],
  );
  assert.equal(new TextDecoder().decode(font.subarray(44, 49)), "abcde");
  assert.equal(font[52], 7);
  assert.throws(() => openTypeOf(plain), /Not a WOFF 1 font/);
});

test("airports: quoted fields may hold commas and quotes; a broken line is named", () => {
  const csv = 'iata,name,city,state,country,latitude,longitude\nX1,"A ""B"", C","Town, The",NY,USA,44.5,-73.4\n';
  assert.deepEqual(parseAirports(csv).get("X1"), {
    code: "X1",
    name: 'A "B", C',
    city: "Town, The",
    state: "NY",
    latitude: 44.5,
    longitude: -73.4,
  });
  assert.throws(() => parseAirports(`${csv}Y2,Somewhere\n`), /line 3 is not an airport: Y2,Somewhere/);
});
