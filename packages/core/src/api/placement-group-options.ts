/** What placementGroup() takes, checked before anything is sent; and whether what is to run in a group fits a bundle of it. */
import { whyNoBundle } from "../base/bundle-fit.ts";
import { RaiaError } from "../base/errors.ts";
import { parseLabels } from "../base/labels.ts";
import { fits, parseResources, type ResourceOptions, type ResourceSet, resourceSet } from "../base/resources.ts";
import type { PlacementGroupSpec } from "../messages/placement-groups.ts";
import { MAX_BUNDLES } from "./limits.ts";
import { checkRecord, entriesOf, invalidOption, labelSelector, name, oneOf, type Rule, type Rules } from "./option-rules.ts";

const exampleBundle = "a record of resources and counts, such as { CPU: 1 }";

const topologyStrategy: Rule = (value, option) => {
  const entries = entriesOf(value, option, 'a record such as { "ray.io/gpu-domain": "STRICT_PACK" }');
  for (const [label, strategy] of entries) {
    parseLabels({ [label]: "" }, option);
    oneOf("STRICT_PACK")(strategy, `${option}.${label}`);
  }
  return entries.map(([label]) => label);
};

const selectors: Rule = (value, option) => {
  if (!Array.isArray(value)) throw invalidOption(option, value, 'must be a list of selectors, such as [{ region: "eu" }]');
  return value.map((selector, index) => labelSelector(selector, `${option}[${index}]`));
};

export const placementGroupRules: Rules = {
  strategy: oneOf("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"),
  name,
  lifetime: oneOf("detached"),
  bundleLabelSelector: selectors,
  topologyStrategy,
};

export type CheckedGroup = Pick<PlacementGroupSpec, "strategy" | "bundles" | "sameLabels" | "detached" | "name">;

/** @throws {RaiaError} INVALID_OPTION */
export function checkPlacementGroup(bundles: unknown, options: unknown): CheckedGroup {
  const kept = checkRecord(options, "", placementGroupRules, "a record");
  const sets = checkBundles(bundles);
  const chosen = kept["bundleLabelSelector"] as readonly { readonly [key: string]: string }[] | undefined;
  if (chosen !== undefined && chosen.length !== 0 && chosen.length !== sets.length)
    throw invalidOption("bundleLabelSelector", chosen, `must have a selector for each of the ${sets.length} bundles`);
  return {
    strategy: (kept["strategy"] as CheckedGroup["strategy"] | undefined) ?? "PACK",
    bundles: sets.map((resources, index) => {
      const selector = chosen?.[index];
      return { resources, ...(selector !== undefined && { labelSelector: selector }) };
    }),
    sameLabels: (kept["topologyStrategy"] as readonly string[] | undefined) ?? [],
    detached: kept["lifetime"] === "detached",
    ...(kept["name"] !== undefined && { name: kept["name"] as string }),
  };
}

/** @param option as the user knows it */
export function checkBundles(bundles: unknown, option = "bundles"): readonly ResourceSet[] {
  if (!Array.isArray(bundles) || bundles.length === 0 || bundles.length > MAX_BUNDLES)
    throw invalidOption(option, bundles, `must be a list of 1 to ${MAX_BUNDLES} bundles, such as [{ CPU: 1 }]`);
  return bundles.map((bundle, index) => {
    const path = `${option}[${index}]`;
    const set = resourceSet(
      entriesOf(bundle, path, exampleBundle).flatMap(([resource, count]) => Object.entries(parseOne(path, resource, count))),
    );
    if (Object.keys(set).length === 0)
      throw invalidOption(path, bundle, "must have something: a bundle without resources reserves nothing");
    return set;
  });
}

const OPTION_OF: Readonly<Record<string, keyof ResourceOptions>> = { CPU: "numCpus", GPU: "numGpus", memory: "memory" };
const RESOURCE_OF: Readonly<Record<string, string>> = { numCpus: "CPU", numGpus: "GPU" };

function parseOne(path: string, resource: string, count: unknown): ResourceSet {
  if (count === undefined) return resourceSet([]);
  if (Object.hasOwn(RESOURCE_OF, resource))
    throw invalidOption(`${path}.${resource}`, count, "must be a resource by its own name", RESOURCE_OF[resource]);
  const option = Object.hasOwn(OPTION_OF, resource) ? OPTION_OF[resource] : undefined;
  try {
    return parseResources((option === undefined ? { resources: { [resource]: count } } : { [option]: count }) as ResourceOptions);
  } catch (error) {
    if (!RaiaError.is(error, "INVALID_OPTION")) throw error;
    // The rule says the same of an option: its first word is the option's name.
    throw invalidOption(`${path}.${resource}`, count, (error.facts["rule"] as string).replace(/^\S+ /, ""));
  }
}

/**
 * What is to run in a group must fit one of its bundles, or it would wait for ever.
 *
 * @param group as the options have it; one that is known by its id alone is not looked at
 * @throws {RaiaError} INVALID_OPTION with the bundle that comes nearest
 */
export function checkFitsGroup(
  group: { readonly id: string; readonly bundleSpecs?: readonly Readonly<Record<string, number>>[] },
  bundleIndex: number,
  resources: ResourceSet,
): void {
  if (group.bundleSpecs === undefined) return;
  const sets = checkBundles(group.bundleSpecs, "schedulingStrategy.placementGroup.bundleSpecs");
  const asked = bundleIndex === -1 ? sets : sets.slice(bundleIndex, bundleIndex + 1);
  if (asked.some((set) => fits(resources, set))) return;
  throw new RaiaError("INVALID_OPTION", {
    option: "schedulingStrategy.placementGroup",
    group: group.id.slice(0, 8),
    rule: `no bundle of the group can ever run it: ${whyNoBundle(sets, bundleIndex, resources)}`,
  });
}
