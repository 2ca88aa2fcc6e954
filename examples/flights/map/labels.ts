/** Places names beside circles so that none covers another: the first comer takes the first free side, or goes without. */

export type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

export type Anchor = { readonly name: string; readonly x: number; readonly y: number; readonly radius: number };

export type Label = { readonly name: string; readonly x: number; readonly y: number; readonly align: "start" | "middle" | "end" };

/**
 * @param anchors most important first
 * @param options `within`: where labels must lie; `taken`: what they must not cover besides one another; `size`: of the font, in pixels
 */
export function placeLabels(
  anchors: readonly Anchor[],
  { within, taken, size }: { readonly within: Box; readonly taken: readonly Box[]; readonly size: number },
): Label[] {
  const occupied = [...taken];
  const labels: Label[] = [];
  for (const { name, x, y, radius } of anchors) {
    const width = name.length * size * 0.68;
    const gap = radius + 3;
    const sides: readonly Label[] = [
      { name, x: x + gap, y: y + size * 0.36, align: "start" },
      { name, x: x - gap, y: y + size * 0.36, align: "end" },
      { name, x, y: y - gap, align: "middle" },
      { name, x, y: y + gap + size * 0.75, align: "middle" },
    ];
    for (const side of sides) {
      const left = side.align === "start" ? side.x : side.align === "end" ? side.x - width : side.x - width / 2;
      const box = { x: left, y: side.y - size * 0.8, width, height: size };
      if (!holds(within, box) || occupied.some((other) => overlaps(box, other))) continue;
      occupied.push(box);
      labels.push(side);
      break;
    }
  }
  return labels;
}

function holds(outer: Box, inner: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
