/** A tree of combiners: results meet in small groups, the results of those in groups again, until one is left. */

/**
 * @param parts at least one
 * @param combine starts the task that merges its arguments, and answers at once with its reference
 * @param fanIn how many a combiner takes: few keep each task small, many keep the tree low
 */
export function combineTree<Ref>(parts: readonly Ref[], combine: (...group: Ref[]) => Ref, fanIn = 4): Ref {
  let level = parts;
  while (level.length > 1) {
    const groups = Array.from({ length: Math.ceil(level.length / fanIn) }, (_, index) => level.slice(index * fanIn, (index + 1) * fanIn));
    level = groups.map((group) => (group.length === 1 ? group[0]! : combine(...group)));
  }
  const [root] = level;
  if (root === undefined) throw new RangeError("Nothing to combine");
  return root;
}
