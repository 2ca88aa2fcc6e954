/** The states' outlines from a TopoJSON file: borders are arcs that neighbours share, stored as steps on a grid of integers. */

import type { Point } from "./albers.ts";

type Polygon = { readonly type: "Polygon"; readonly arcs: readonly (readonly number[])[] };
type MultiPolygon = { readonly type: "MultiPolygon"; readonly arcs: readonly (readonly (readonly number[])[])[] };

/** As much of TopoJSON as the file uses. */
export type Topology = {
  readonly transform: { readonly scale: Point; readonly translate: Point };
  readonly arcs: readonly (readonly Point[])[];
  readonly objects: { readonly states: { readonly geometries: readonly (Polygon | MultiPolygon)[] } };
};

/** One ring of longitudes and latitudes for each piece of land, holes included. */
export function stateRings({ transform, arcs, objects }: Topology): Point[][] {
  const decoded = new Map<number, Point[]>();
  const pointsOf = (arc: number): Point[] => {
    // A negative number (-1 - n) is arc n walked backwards.
    const index = arc < 0 ? -1 - arc : arc;
    let points = decoded.get(index);
    if (points === undefined) {
      points = decodeArc(arcs[index] ?? [], transform);
      decoded.set(index, points);
    }
    return arc < 0 ? points.toReversed() : points;
  };
  const rings = objects.states.geometries.flatMap((shape) => (shape.type === "Polygon" ? shape.arcs : shape.arcs.flat()));
  // Each arc begins where the last one ended.
  return rings.map((ring) => ring.flatMap((arc, index) => pointsOf(arc).slice(index === 0 ? 0 : 1)));
}

function decodeArc(steps: readonly Point[], { scale, translate }: Topology["transform"]): Point[] {
  let x = 0;
  let y = 0;
  return steps.map(([stepX, stepY]) => {
    x += stepX;
    y += stepY;
    return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
  });
}
