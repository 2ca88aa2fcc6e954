/** For a name that nobody knows, the one that was probably meant. */

/** Longer names are no slips of the finger; bounds the work of a comparison. */
const MAX_CHARS = 64;

/**
 * @returns the known name with the fewest edits (an insertion, deletion, substitution or swap of neighbours each), or `undefined`
 * when more than two fifths of the name would have to change. Case and underscores do not count, so `num_cpus` finds `numCpus`,
 * and neither does a unit that was left out, so `timeout` finds `timeoutMs`.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = plain(name);
  if (wanted.length > MAX_CHARS) return undefined;
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(wanted.length * 0.4)) + 1;
  for (const candidate of known) {
    const target = plain(candidate);
    const edits = target === `${wanted}ms` ? 0 : editDistance(wanted, target);
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.replaceAll(/[_-]/g, "").toLowerCase();
}

/**
 * Edits that make `b` of `a`; neighbours that are swapped count once.
 *
 * @complexity O(a x b)
 * @source optimal string alignment, after Damerau (1964)
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let edits = Math.min((above[column] as number) + 1, (current[column - 1] as number) + 1, (above[column - 1] as number) + cost);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, (before[column - 2] as number) + 1);
      }
      current.push(edits);
    }
    before = above;
    above = current;
  }
  return above[b.length] as number;
}
