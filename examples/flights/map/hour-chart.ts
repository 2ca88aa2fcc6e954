/** One small chart: how an airport's delay grows through the day. */

import type { AirportAnswer } from "../answer.ts";
import { delayColour, hairline, ink, muted } from "./colours.ts";
import { element, group, polyline, text } from "./svg.ts";

export type HourChart = {
  readonly airport: AirportAnswer;
  readonly city: string;
  readonly frame: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly labelAxis: boolean;
};

/** From five in the morning, when planes begin to leave, to ten at night: what leaves later is mostly what should have left before. */
const firstHour = 5;
const lastHour = 22;
/** All charts share this scale, in minutes, so that they compare. */
const lowest = -25;
const highest = 90;
/** An hour with fewer flights is left out: its percentiles would be noise. */
const fewestFlights = 20;

export function hourChart({ airport, city, frame, labelAxis }: HourChart): string {
  const top = frame.y + 30;
  const bottom = frame.y + frame.height - 18;
  const x = (hour: number) => frame.x + ((hour - firstHour) / (lastHour - firstHour)) * frame.width;
  const y = (minutes: number) => bottom - ((clamp(minutes) - lowest) / (highest - lowest)) * (bottom - top);
  const hours = airport.byHour.flatMap((percentiles, hour) =>
    percentiles !== undefined && hour >= firstHour && hour <= lastHour && percentiles.flights >= fewestFlights
      ? [{ hour, ...percentiles }]
      : [],
  );
  const band = [
    ...hours.map(({ hour, p90 }) => [x(hour), y(p90)] as const),
    ...hours.toReversed().map(({ hour, p10 }) => [x(hour), y(p10)] as const),
  ];
  const median = hours.map(({ hour, p50 }) => [x(hour), y(p50)] as const);
  return group({}, [
    text(frame.x, frame.y + 18, airport.code, { "font-size": 15, "font-weight": 700 }),
    text(frame.x + 43, frame.y + 18, city, { "font-size": 13, fill: muted }),
    ...[0, 30, 60].map((minutes) =>
      element("line", {
        x1: frame.x,
        x2: frame.x + frame.width,
        y1: y(minutes),
        y2: y(minutes),
        stroke: hairline,
        "stroke-width": minutes === 0 ? 1.4 : 0.7,
      }),
    ),
    hours.length < 2 ? "" : element("path", { d: `${polyline(band)}Z`, fill: delayColour(airport.mean), "fill-opacity": 0.4 }),
    hours.length < 2
      ? ""
      : element("path", { d: polyline(median), fill: "none", stroke: ink, "stroke-width": 1.8, "stroke-linejoin": "round" }),
    ...[6, 12, 18].map((hour) => text(x(hour), bottom + 15, `${hour}:00`, { "text-anchor": "middle", "font-size": 11.5, fill: muted })),
    ...(labelAxis ? [0, 30, 60] : []).map((minutes) =>
      text(frame.x - 6, y(minutes) + 4, minutes === 60 ? "60 min" : String(minutes), {
        "text-anchor": "end",
        "font-size": 11.5,
        fill: muted,
      }),
    ),
  ]);
}

function clamp(minutes: number): number {
  return Math.min(highest, Math.max(lowest, minutes));
}
