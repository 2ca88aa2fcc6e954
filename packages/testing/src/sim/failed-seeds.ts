/**
 * Seeds that failed once, with what they found; each test run repeats them. What a seed does changes with the code and
 * with the simulator, so a unit test beside a mend is what keeps it; these are cheap company.
 */
export const failedSeeds: readonly (readonly [seed: number, found: string])[] = [
  [2, "a get of several met one that was still open"],
  [5, "a worker that was leaving was stopped for leaving again"],
  [6, "the note that a lease was asked back outlived it"],
  [14, "an idle worker that owned objects was given to an actor and ended with it"],
  [24, "an owner pushed to a worker that did not know yet that it was registered"],
  [45, "objects of a dead owner stayed in the store"],
  [50, "a borrow was dropped before it was registered"],
  [68, "a late push of an earlier lease took the claim of the next one"],
  [84, "a task that may run once ran twice after its claim words were lent again"],
  [152, "a process that had ended dialled"],
  [176, "a queued call whose dependency was freed was pushed"],
  [203, "a death was handled before the last words of the dead process"],
  [226, "a worker left before its word that others use what it owns was read"],
  [231, "a result was told before the store had it"],
  [380, "cancelling left a lease idle with nobody watching"],
  [521, "a worker was ended because its lessee had died"],
  [10395, "a wait did not keep what it waited for"],
  [1004391, "a channel opened on a connection that had ended heard nothing of it"],
];
