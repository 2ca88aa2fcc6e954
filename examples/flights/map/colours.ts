/** The picture's colours: quiet paper and ink, and one scale from early (green-blue) over sand and red to very late (violet). */

export const paper = "#faf8f4";
export const land = "#ece7dd";
export const border = "#ffffff";
export const ink = "#22252b";
export const muted = "#6d6a66";
export const hairline = "#d8d2c6";

/** Mean delays, in minutes, and their colours. Lightness falls with lateness, so it reads in grey too. */
export const stops: readonly (readonly [minutes: number, rgb: readonly [number, number, number]])[] = [
  [0, [88, 160, 160]],
  [4, [158, 190, 160]],
  [7, [236, 200, 120]],
  [10, [226, 132, 70]],
  [14, [200, 58, 52]],
  [20, [162, 26, 80]],
  [28, [106, 22, 94]],
  [40, [48, 12, 72]],
];

/** The colour of a mean delay, between the stops by straight mixing; beyond them the nearest stop's. */
export function delayColour(minutes: number): string {
  const above = stops.findIndex(([stop]) => stop >= minutes);
  if (above === 0) return rgb(stops[0]![1]);
  if (above === -1) return rgb(stops.at(-1)![1]);
  const [lowStop, low] = stops[above - 1]!;
  const [highStop, high] = stops[above]!;
  const share = (minutes - lowStop) / (highStop - lowStop);
  return rgb([mixed(low[0], high[0], share), mixed(low[1], high[1], share), mixed(low[2], high[2], share)]);
}

function mixed(low: number, high: number, share: number): number {
  return Math.round(low + (high - low) * share);
}

function rgb(channels: readonly [number, number, number]): string {
  return `#${channels.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
