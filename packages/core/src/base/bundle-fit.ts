import { lacking, type ResourceSet, showLackOf } from "./resources.ts";

const MAX_SHOWN = 3;

/** Why none of the bundles can ever hold it, in words with numbers. */
export function whyNoBundle(bundles: readonly ResourceSet[], bundleIndex: number, resources: ResourceSet): string {
  if (bundleIndex >= bundles.length) return `there is no bundle ${bundleIndex}: the group has ${bundles.length}`;
  const asked = bundleIndex === -1 ? [...bundles.entries()] : [[bundleIndex, bundles[bundleIndex] as ResourceSet] as const];
  const shown = asked.slice(0, MAX_SHOWN).map(([index, set]) => {
    const lack = lacking(resources, set, set)[0];
    return `bundle ${index}: ${lack === undefined ? "has it" : showLackOf(lack, "bundle")}`;
  });
  return [...shown, ...(asked.length > shown.length ? [`and ${asked.length - shown.length} more bundles`] : [])].join("; ");
}
