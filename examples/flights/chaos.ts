/** Shoots a random worker every second, the way a kernel out of memory or an impatient colleague would. */

const intervalMs = 1000;

export type Chaos = {
  /** Workers killed so far. */
  shot(): number;
  /** @returns workers killed in all */
  stop(): number;
};

/** @param targets the process ids to choose from, asked anew each time */
export function startChaos(targets: () => readonly number[]): Chaos {
  let shot = 0;
  const timer = setInterval(() => {
    const pids = targets();
    const pid = pids[Math.floor(Math.random() * pids.length)];
    if (pid !== undefined && kill(pid)) shot++;
  }, intervalMs);
  return {
    shot: () => shot,
    stop: () => {
      clearInterval(timer);
      return shot;
    },
  };
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    // It was gone before the shot.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
