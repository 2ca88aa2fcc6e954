/** All that `state` may be in rows of each kind. */
export const listedStates = {
  tasks: ["waiting", "queued", "assigned", "running", "finished", "failed", "submitted"],
  actors: ["registering", "pending", "creating", "alive", "replacing", "leaving", "dead"],
  "placement-groups": ["pending", "prepared", "created", "rescheduling", "removed"],
  objects: ["pending", "inline", "stored", "spilled", "error", "freed"],
  workers: ["starting", "idle", "busy", "leaving", "stopping", "dying", "gone"],
  nodes: ["alive", "dead"],
  jobs: ["running", "finished"],
} as const;
