/** Where processes start whose own directory is gone, and a daemon stays: it is always there, and keeps no disk in use. */
export const ROOT_DIRECTORY = "/";

/** The working directory of this process; the root when it was removed under it. */
export function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return ROOT_DIRECTORY; // ENOENT: whatever is relative to it is gone as well.
  }
}
