/**
 * Which objects leave memory. Only objects that nobody reads are candidates; a pinned one is never moved. In the
 * background the oldest go, which needs no policy but the order of the table. When somebody needs a run of blocks of a certain length, what counts is not age but where
 * the objects are: the window that costs the fewest bytes to clear is cleared.
 */
/** A run of blocks: free, movable (one candidate), or neither. */
interface Piece<C> {
  readonly blocks: number;
  readonly candidate: C | undefined;
}

/** Candidates in units of blocks: where it begins and how many it has. */
export interface Placed {
  readonly firstBlock: number;
  readonly blocks: number;
}

/**
 * Finds the run of `need` blocks that is cheapest to clear.
 *
 * @param used 1 for each block in use by anybody
 * @param candidates objects that may leave
 * @returns those that must leave, none when there is a free run already; undefined when pinned objects are in the way everywhere
 * @complexity O(blocks + c log c)
 */
export function cheapestWindow<C extends Placed>(used: Uint8Array, candidates: Iterable<C>, need: number): readonly C[] | undefined {
  const sorted = [...candidates].sort((a, b) => a.firstBlock - b.firstBlock);
  let best: { readonly pieces: readonly Piece<C>[]; readonly cost: number } | undefined;
  for (const segment of movableSegments(used, sorted)) {
    const found = cheapestInSegment(segment, need);
    if (found !== undefined && (best === undefined || found.cost < best.cost)) best = found;
  }
  return best?.pieces.flatMap(({ candidate }) => (candidate === undefined ? [] : [candidate]));
}

/** Cuts the arena at what cannot be moved. */
function* movableSegments<C extends Placed>(used: Uint8Array, sorted: readonly C[]): Generator<readonly Piece<C>[]> {
  let segment: Piece<C>[] = [];
  let next = 0;
  for (let block = 0; block < used.length; ) {
    const candidate = sorted[next];
    if (candidate !== undefined && candidate.firstBlock === block) {
      segment.push({ blocks: candidate.blocks, candidate });
      block += candidate.blocks;
      next++;
    } else if (used[block] === 0) {
      const end = Math.min(endOfFree(used, block), candidate?.firstBlock ?? used.length);
      segment.push({ blocks: end - block, candidate: undefined });
      block = end;
    } else {
      yield segment;
      segment = [];
      block++;
    }
  }
  yield segment;
}

function endOfFree(used: Uint8Array, block: number): number {
  const end = used.indexOf(1, block);
  return end < 0 ? used.length : end;
}

/** Two pointers: a cheapest window can always be chosen to begin with a whole piece. */
function cheapestInSegment<C>(segment: readonly Piece<C>[], need: number): { pieces: readonly Piece<C>[]; cost: number } | undefined {
  let best: { readonly left: number; readonly right: number; readonly cost: number } | undefined;
  let blocks = 0;
  let cost = 0;
  let right = 0;
  for (let left = 0; left < segment.length; left++) {
    while (blocks < need && right < segment.length) {
      blocks += segment[right]!.blocks;
      cost += costOf(segment[right]!);
      right++;
    }
    if (blocks < need) break;
    if (best === undefined || cost < best.cost) best = { left, right, cost };
    blocks -= segment[left]!.blocks;
    cost -= costOf(segment[left]!);
  }
  return best === undefined ? undefined : { pieces: segment.slice(best.left, best.right), cost: best.cost };
}

function costOf({ blocks, candidate }: Piece<unknown>): number {
  return candidate === undefined ? 0 : blocks;
}
