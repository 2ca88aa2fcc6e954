import { type ResourceSet, unitsOf } from "../base/resources.ts";
import type { NodeView } from "./cluster-view.ts";

/**
 * How full a node would be with the request on it: the share in use of its scarcest resource, 0 to 1. Memory counts like
 * every other resource; sliver resources such as `accelerator_type:` do not fill a node.
 */
export function utilizationWith(node: NodeView, resources: ResourceSet): number {
  let highest = 0;
  for (const name in node.total) {
    const total = unitsOf(node.total, name);
    const used = total - unitsOf(node.available, name) + unitsOf(resources, name);
    highest = Math.max(highest, used / total);
  }
  return highest;
}
