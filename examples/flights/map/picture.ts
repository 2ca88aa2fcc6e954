/**
 * The picture: a map of the airports and the worst routes, a panel that names them, and small charts of the day's course at the
 * largest airports. It is a string of SVG, made from the answer alone.
 */

import type { Airport } from "../airports.ts";
import type { AirportAnswer, Answer, RouteAnswer } from "../answer.ts";
import { closeUp, type Point, type Projection, unitedStates } from "./albers.ts";
import { border, delayColour, hairline, ink, land, muted, paper, stops } from "./colours.ts";
import { hourChart } from "./hour-chart.ts";
import { type Box, placeLabels } from "./labels.ts";
import { element, group, polyline, text } from "./svg.ts";

export const pictureSize = { width: 1600, height: 1260 } as const;

const margin = 56;
const mapFrame = { x: margin - 20, y: 140, width: 1120, height: 700 } as const;
/** The north-east, where the airports crowd: drawn again, larger, over the empty Atlantic. */
const inset = { x: 902, y: 580, width: 256, height: 246, longitude: -74.0, latitude: 40.72, scale: 2.3 } as const;
const panelX = 1196;
const panelWidth = pictureSize.width - margin - panelX;
const chartsTop = 884;
const chartedAirports = 12;
const fontFamily = "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

export type PictureInput = {
  readonly answer: Answer;
  readonly places: ReadonlyMap<string, Airport>;
  /** State outlines as rings of longitude and latitude. */
  readonly stateRings: readonly (readonly Point[])[];
  /** CSS that makes the font known to browsers, where there is one to embed. */
  readonly fontCss?: string | undefined;
};

export function drawPicture({ answer, places, stateRings, fontCss }: PictureInput): string {
  const projection = unitedStates(mapFrame);
  const spots = spotsOf(answer, places, projection);
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${pictureSize.width} ${pictureSize.height}`,
      width: pictureSize.width,
      height: pictureSize.height,
      "font-family": fontFamily,
      fill: ink,
    },
    [
      element("title", {}, "Where and when American flights run late"),
      fontCss === undefined ? "" : element("style", {}, fontCss),
      element("rect", { width: pictureSize.width, height: pictureSize.height, fill: paper }),
      header(answer),
      mapOf(answer, stateRings, projection, spots, { within: { x: 0, y: 0, ...pictureSize }, count: 34, taken: [inset] }),
      northEast(answer, places, stateRings),
      legend(spots),
      worstRoutes(answer),
      mornings(answer),
      charts(answer, places),
      footer(answer, spots),
    ].join("\n"),
  );
}

function mapOf(
  answer: Answer,
  stateRings: PictureInput["stateRings"],
  projection: Projection,
  spots: ReadonlyMap<string, Spot>,
  labels: Labels,
): string {
  return group({}, [
    states(stateRings, projection),
    group({ fill: "none", "stroke-linecap": "round" }, arcs(answer.worstRoutes, spots)),
    circles(spots),
    names(spots, labels),
  ]);
}

function northEast(answer: Answer, places: ReadonlyMap<string, Airport>, stateRings: PictureInput["stateRings"]): string {
  const { x, y, width, height } = inset;
  const projection = closeUp(mapFrame, { ...inset, x: x + width / 2, y: y + height / 2 });
  const isNear = ([longitude, latitude]: Point) => Math.abs(longitude - inset.longitude) < 9 && Math.abs(latitude - inset.latitude) < 7;
  const rings = stateRings.filter((ring) => ring.some(isNear));
  const spots = spotsOf(answer, places, (longitude, latitude) =>
    isNear([longitude, latitude]) ? projection(longitude, latitude) : undefined,
  );
  return group({}, [
    element("clipPath", { id: "inset" }, element("rect", { x, y, width, height, rx: 6 })),
    element("rect", { x, y, width, height, rx: 6, fill: paper }),
    group({ "clip-path": "url(#inset)" }, [mapOf(answer, rings, projection, spots, { within: inset, count: 9, taken: [] })]),
    element("rect", { x, y, width, height, rx: 6, fill: "none", stroke: hairline, "stroke-width": 1.5 }),
    text(x + width, y - 9, "The north-east, larger", { "font-size": 13, fill: muted, "text-anchor": "end" }),
  ]);
}

type Spot = { readonly airport: AirportAnswer; readonly x: number; readonly y: number; readonly radius: number };

function spotsOf(answer: Answer, places: ReadonlyMap<string, Airport>, projection: Projection): Map<string, Spot> {
  const busiest = answer.airports[0]?.flights ?? 1;
  const spots = new Map<string, Spot>();
  for (const airport of answer.airports) {
    const place = places.get(airport.code);
    const point = place && projection(place.longitude, place.latitude);
    if (point !== undefined) spots.set(airport.code, { airport, x: point[0], y: point[1], radius: radiusOf(airport.flights, busiest) });
  }
  return spots;
}

/** Area says traffic; the smallest stay visible. */
function radiusOf(flights: number, busiest: number): number {
  return Math.max(1.8, 25 * Math.sqrt(flights / busiest));
}

function header(answer: Answer): string {
  return group({}, [
    text(margin, 76, "Where and when American flights run late", { "font-size": 40, "font-weight": 700, "letter-spacing": "-0.8" }),
    text(
      margin,
      112,
      `${thousands(answer.flights)} flights between ${answer.airports.length} airports, ${period(answer)}: ${answer.mean.toFixed(1)} minutes late ` +
        `on average, and ${percent(answer.lateShare)} of them by a quarter of an hour or more`,
      { "font-size": 17.5, fill: muted },
    ),
  ]);
}

function states(rings: readonly (readonly Point[])[], projection: Projection): string {
  const path = rings
    .map((ring) => ring.map(([longitude, latitude]) => projection(longitude, latitude)).filter((point) => point !== undefined))
    .filter((points) => points.length > 2)
    .map((points) => `${polyline(points, 0.7)}Z`)
    .join("");
  return element("path", { d: path, fill: land, stroke: border, "stroke-width": 1, "stroke-linejoin": "round", "fill-rule": "evenodd" });
}

function arcs(routes: readonly RouteAnswer[], spots: ReadonlyMap<string, Spot>): string[] {
  // The latest is drawn last, on top.
  return routes.toReversed().flatMap((route) => {
    const from = spots.get(route.from);
    const to = spots.get(route.to);
    if (from === undefined || to === undefined) return [];
    const d = arcBetween(from, to);
    const width = 1.4 + route.lateShare * 4;
    return [
      element("path", { d, stroke: paper, "stroke-width": width + 2, opacity: 0.7 }),
      element("path", { d, stroke: delayColour(route.mean), "stroke-width": width, opacity: 0.9 }),
    ];
  });
}

/** Bends to the left of the direction of flight, so that there and back are two lines. */
function arcBetween(from: Spot, to: Spot): string {
  const bend = 0.22;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const controlX = (from.x + to.x) / 2 + dy * bend;
  const controlY = (from.y + to.y) / 2 - dx * bend;
  return `M${from.x.toFixed(1)} ${from.y.toFixed(1)}Q${controlX.toFixed(1)} ${controlY.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
}

function circles(spots: ReadonlyMap<string, Spot>): string {
  return group(
    { stroke: paper, "stroke-width": 1.1 },
    [...spots.values()].map(({ airport, x, y, radius }) =>
      element(
        "circle",
        { cx: x, cy: y, r: radius, fill: delayColour(airport.mean), "fill-opacity": 0.93 },
        element("title", {}, `${airport.code}: ${thousands(airport.flights)} departures, ${signed(airport.mean)} min`),
      ),
    ),
  );
}

type Labels = { readonly within: Box; readonly count: number; readonly taken: readonly Box[] };

/** Names the `count` largest airports inside the frame. */
function names(spots: ReadonlyMap<string, Spot>, { within, count, taken: covered }: Labels): string {
  const isInside = ({ x, y }: Spot) => x > within.x && x < within.x + within.width && y > within.y && y < within.y + within.height;
  const largest = [...spots.values()].filter(isInside).slice(0, count);
  const inside = largest.filter(({ radius }) => radius >= 17);
  const beside = largest.filter(({ radius }) => radius < 17);
  const taken = largest.map(({ x, y, radius }) => ({ x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius }));
  const labels = placeLabels(
    beside.map(({ airport, x, y, radius }) => ({ name: airport.code, x, y, radius })),
    { within, taken: [...taken, ...covered], size: 13 },
  );
  return group({ "font-size": 13, "font-weight": 600 }, [
    ...inside.map(({ airport, x, y }) => text(x, y + 4.6, airport.code, { "text-anchor": "middle", fill: inkOn(airport.mean) })),
    ...labels.map(({ name, x, y, align }) =>
      text(x, y, name, { "text-anchor": align, stroke: paper, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke" }),
    ),
  ]);
}

function inkOn(mean: number): string {
  return mean > 11 ? paper : ink;
}

function legend(spots: ReadonlyMap<string, Spot>): string {
  const top = 172;
  // Equal room for each pair of neighbouring stops: most airports lie between the first four.
  const stretch = panelWidth / (stops.length - 1);
  const ramp = [
    element(
      "linearGradient",
      { id: "delay" },
      stops
        .map(([minutes], index) =>
          element("stop", { offset: `${(100 * index) / (stops.length - 1)}%`, "stop-color": delayColour(minutes) }),
        )
        .join(""),
    ),
    element("rect", { x: panelX, y: top + 14, width: panelWidth, height: 13, rx: 1.5, fill: "url(#delay)" }),
  ];
  const ticks = stops.map(([minutes], index) =>
    text(panelX + index * stretch, top + 46, index === 0 ? "0 min" : String(minutes), {
      "text-anchor": index === 0 ? "start" : index === stops.length - 1 ? "end" : "middle",
      "font-size": 13,
      fill: muted,
    }),
  );
  const busiest = [...spots.values()][0]?.airport.flights ?? 1;
  const baseline = top + 122;
  let x = panelX;
  const rings = [busiest, busiest / 4, busiest / 25].flatMap((flights) => {
    const radius = radiusOf(flights, busiest);
    const label = thousands(Number(flights.toPrecision(2)));
    const centre = x + radius;
    x = centre + radius + 24 + label.length * 8;
    return [
      element("circle", { cx: centre, cy: baseline - radius, r: radius, fill: "none", stroke: muted, "stroke-width": 1.2 }),
      text(centre + radius + 7, baseline - Math.min(radius, 6), label, { "font-size": 13, fill: muted }),
    ];
  });
  return group({}, [
    heading(panelX, top, "Colour: mean delay on arrival"),
    ...ramp,
    ...ticks,
    ...rings,
    text(panelX, baseline + 26, "Circle: departures. Line: one of the 20 worst routes.", { "font-size": 13, fill: muted }),
  ]);
}

function worstRoutes(answer: Answer): string {
  const top = 374;
  const rowHeight = 25;
  const routes = answer.worstRoutes.slice(0, 10);
  const largest = Math.max(0.01, ...routes.map(({ lateShare }) => lateShare));
  const barX = panelX + 100;
  const barWidth = panelWidth - 100 - 46;
  const rows = routes.flatMap((route, index) => {
    const y = top + 30 + index * rowHeight;
    const width = (route.lateShare / largest) * barWidth;
    return [
      text(panelX, y, `${route.from} – ${route.to}`, { "font-size": 14, "font-weight": 600 }),
      element("rect", { x: barX, y: y - 12, width, height: 15, fill: delayColour(route.mean), rx: 1.5 }),
      text(barX + width + 8, y, percent(route.lateShare), { "font-size": 13 }),
    ];
  });
  return group({}, [
    heading(panelX, top, "Worst routes: share of flights late"),
    ...rows,
    text(panelX, top + 34 + routes.length * rowHeight, `of routes with at least ${answer.routeFlights} flights; late: 15 min or more`, {
      "font-size": 12.5,
      fill: muted,
    }),
  ]);
}

/** The large airports whose mornings say most about their evenings, with the slope of the line and its correlation. */
function mornings(answer: Answer): string {
  const top = 706;
  const airports = answer.airports
    .slice(0, 40)
    .flatMap(({ code, morning }) => (morning === undefined ? [] : [{ code, ...morning }]))
    .toSorted((a, b) => b.correlation - a.correlation)
    .slice(0, 6);
  const half = panelWidth / 2;
  const rows = airports.map(({ code, correlation, slope }, index) => {
    const x = panelX + (index % 2) * half;
    const y = top + 50 + Math.floor(index / 2) * 30;
    return group({}, [
      text(x, y, code, { "font-size": 14, "font-weight": 600 }),
      text(x + 44, y, `+${(10 * slope).toFixed(0)} min`, { "font-size": 14 }),
      text(x + 112, y, `r ${correlation.toFixed(2)}`, { "font-size": 13, fill: muted }),
    ]);
  });
  const explanation = airports.length === 0 ? "Too few days to tell." : "With 10 minutes more before noon come, after 17:00:";
  return group({}, [
    heading(panelX, top, "A late morning, a later evening"),
    text(panelX, top + 23, explanation, { "font-size": 13, fill: muted }),
    ...rows,
  ]);
}

function charts(answer: Answer, places: ReadonlyMap<string, Airport>): string {
  const columns = 6;
  const gap = 26;
  const width = (pictureSize.width - 2 * margin - (columns - 1) * gap) / columns;
  const height = 132;
  const rows = answer.airports.slice(0, chartedAirports).map((airport, index) =>
    hourChart({
      airport,
      city: places.get(airport.code)?.city ?? "",
      frame: {
        x: margin + (index % columns) * (width + gap),
        y: chartsTop + 26 + Math.floor(index / columns) * (height + 24),
        width,
        height,
      },
      labelAxis: index % columns === 0,
    }),
  );
  return group({}, [
    element("line", { x1: margin, y1: chartsTop - 34, x2: pictureSize.width - margin, y2: chartsTop - 34, stroke: hairline }),
    heading(
      margin,
      chartsTop,
      "Delay by hour of departure at the twelve busiest: the median, and the band that holds eight flights of ten",
    ),
    ...rows,
  ]);
}

function footer(answer: Answer, spots: ReadonlyMap<string, Spot>): string {
  const absent = answer.airports.filter(({ code }) => !spots.has(code)).map(({ code }) => code);
  const outside = absent.length === 0 ? "" : ` Not on the map: ${absent.join(", ")}.`;
  return text(
    margin,
    pictureSize.height - 28,
    "The hour is that of the actual departure, so late flights push the night's figures up. Source: US Bureau of Transportation Statistics, by way of vega-datasets." +
      outside,
    { "font-size": 13, fill: muted },
  );
}

function heading(x: number, y: number, words: string): string {
  return text(x, y, words, { "font-size": 15.5, "font-weight": 600 });
}

function period({ firstDay, days }: Answer): string {
  const first = new Date(`${firstDay}T00:00:00Z`);
  const last = new Date(first.getTime() + (days - 1) * 86_400_000);
  const format = new Intl.DateTimeFormat("en-US", { timeZone: "UTC", month: "long", day: "numeric", year: "numeric" });
  return days === 1 ? format.format(first) : format.formatRange(first, last).replaceAll("\u2009", " ");
}

function thousands(count: number): string {
  return count.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function signed(minutes: number): string {
  return `${minutes < 0 ? "−" : "+"}${Math.abs(minutes).toFixed(1)}`;
}
