/**
 * The usual map of the United States: the lower 48 in Albers' equal-area projection, with Alaska (at a third of its size),
 * Hawaii and Puerto Rico moved in beside them.
 */

export type Point = readonly [x: number, y: number];

/** Projects degrees to pixels; `undefined` for a place that is on none of the four maps. */
export type Projection = (longitude: number, latitude: number) => Point | undefined;

/** @param frame where on the picture the map goes, in pixels; the whole map keeps its proportions inside it */
export function unitedStates(frame: { x: number; y: number; width: number; height: number }): Projection {
  const scale = Math.min(frame.width / extent.width, frame.height / extent.height);
  const centre: Point = [frame.x + frame.width / 2, frame.y + frame.height / 2];
  const areas = regions.map((region) => {
    const project = conic(region.parallels, region.origin);
    return {
      holds: region.holds,
      project: (longitude: number, latitude: number): Point => {
        const [x, y] = project(longitude, latitude);
        return [centre[0] + scale * (region.offset[0] + region.scale * x), centre[1] + scale * (region.offset[1] - region.scale * y)];
      },
    };
  });
  return (longitude, latitude) => {
    // Alaska's last islands lie beyond the date line.
    const east = longitude > 160 ? longitude - 360 : longitude;
    return areas.find((area) => area.holds(east, latitude))?.project(east, latitude);
  };
}

/** A closer look at a part of the lower 48: `longitude`, `latitude` in the middle, `scale` times the size it has on the map of `frame`. */
export function closeUp(
  frame: { width: number; height: number },
  middle: { longitude: number; latitude: number; x: number; y: number; scale: number },
): Projection {
  const scale = middle.scale * Math.min(frame.width / extent.width, frame.height / extent.height);
  const project = conic([29.5, 45.5], [middle.longitude, middle.latitude]);
  return (longitude, latitude) => {
    const [x, y] = project(longitude, latitude);
    return [middle.x + scale * x, middle.y - scale * y];
  };
}

/** What the composite map takes up, in earth radii. */
const extent = { width: 0.8, height: 0.565 } as const;

type Region = {
  readonly parallels: Point;
  /** The place that is drawn at `offset`. */
  readonly origin: Point;
  readonly scale: number;
  /** In earth radii from the middle of the picture, down positive. */
  readonly offset: Point;
  readonly holds: (longitude: number, latitude: number) => boolean;
};

const regions: readonly Region[] = [
  {
    parallels: [55, 65],
    origin: [-154, 61],
    scale: 0.35,
    offset: [-0.31, 0.2],
    holds: (_, latitude) => latitude > 50,
  },
  {
    parallels: [8, 18],
    origin: [-157, 20.6],
    scale: 1.2,
    offset: [-0.17, 0.238],
    holds: (longitude, latitude) => longitude < -150 && latitude < 30,
  },
  {
    parallels: [8, 18],
    origin: [-66.2, 18.2],
    scale: 1.4,
    offset: [0.1, 0.258],
    holds: (longitude, latitude) => latitude < 20 && longitude > -70 && longitude < -60,
  },
  {
    parallels: [29.5, 45.5],
    origin: [-96.3, 38.6],
    scale: 1,
    offset: [-0.035, -0.035],
    holds: (longitude, latitude) => longitude > -130 && longitude < -60 && latitude > 23,
  },
];

/** Albers' conic equal-area projection of the sphere, in earth radii from `origin`. @source Snyder, Map Projections (USGS 1395), 14-1 */
function conic([south, north]: Point, [longitude0, latitude0]: Point): (longitude: number, latitude: number) => Point {
  const n = (Math.sin(radians(south)) + Math.sin(radians(north))) / 2;
  const c = Math.cos(radians(south)) ** 2 + 2 * n * Math.sin(radians(south));
  const radius = (latitude: number) => Math.sqrt(c - 2 * n * Math.sin(radians(latitude))) / n;
  const radius0 = radius(latitude0);
  return (longitude, latitude) => {
    const angle = n * radians(longitude - longitude0);
    return [radius(latitude) * Math.sin(angle), radius0 - radius(latitude) * Math.cos(angle)];
  };
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
