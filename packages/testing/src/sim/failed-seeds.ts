/**
 * Seeds that failed once, with what they found; each test run repeats them. What a seed does changes with the code and
 * with the simulator, so a unit test beside a mend is what keeps it; these are cheap company.
 */
export const failedSeeds: readonly (readonly [seed: number, found: string])[] = [
  [6, "an actor whose caller lost its connection was waited for without end"],
  [15, "a lease whose owner lost its connection stayed, and so did what ran on it"],
  [17, "a connection that was lost while it greeted was taken for a death"],
  [1050, "calls that shared a process which died found a new shape with each death"],
  [5460, "a process in which others still had work was ended because one of its lessees had left"],
  [2157, "an item that an actor had stored when it died stayed in the store"],
  [101369, "what a lost attempt had stored stayed when its call was cancelled before the next one began"],
  [800838, "an actor that ran a call whose connection was lost could not keep the ref that it was given"],
  [801243, "a result that came after its actor had ended was dropped, and the refs in it were held without end"],
  [102893, "who waited for an object that its owner had not finished was not told of the owner's death"],
  [443689233, "a large object that still waited for room went with the worker that had returned a ref to it"],
  [443793786, "what a worker had stored before it died was asked for before the node had read of it"],
  [443792732, "with a full disk and nothing left to write to it the store looked for victims without end"],
  [444031295, "a result that could not be stored stayed in the store's list when its owner had been told"],
  [451330409, "what the node kept of a task that had been tried twice was freed as the rest of the first try"],
  [451899015, "an owner that had not heard of a worker's death wrote to claim words that were lent again, and a call ran twice"],
  [451894312, "a borrow that was told again after a lost connection named what had been dropped meanwhile"],
  [451894675, "word that there was no place for an item stayed in the store when its stream had been left"],
  [452979042, "an owner whose lease was taken back did not hear of its worker's death, and lost a call that nobody had begun"],
  [459563268, "refs in a result that came long after its caller's connection was lost stayed held"],
  [463653374, "a call that failed was let go of before it was said in the lists why"],
  [460703592, "a request for a lease that came twice was served again when the first was over, and nobody used it"],
  [463522616, "a call that failed when nobody held its result any more was to say why, and threw instead"],
  [466201127, "a control process that was started again did not know why an actor had died before"],
  [466513963, "that an actor was dead was no news from a control process that did not know its incarnation"],
  [466623179, "a lease that had been taken back was refused, with its placement group, and the node did not know what to do"],
];
