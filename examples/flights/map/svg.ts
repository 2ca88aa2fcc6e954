/** The few SVG elements the picture needs, as strings. Text is escaped, coordinates have one decimal. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export function element(name: string, attributes: Attributes, content?: string): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? round(value) : escapeText(value!)}"`)
    .join("");
  return content === undefined ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export function group(attributes: Attributes, children: readonly string[]): string {
  return element("g", attributes, `\n${children.join("\n")}\n`);
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeText(content));
}

export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escapeText(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A path through points, leaving out those that would move it by less than `leastStep` pixels. */
export function polyline(points: readonly (readonly [number, number])[], leastStep = 0): string {
  const kept: string[] = [];
  let [lastX, lastY] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [x, y] of points) {
    if (Math.hypot(x - lastX, y - lastY) < leastStep) continue;
    kept.push(`${round(x)} ${round(y)}`);
    [lastX, lastY] = [x, y];
  }
  return `M${kept.join("L")}`;
}
