/** What proves that a process belongs to a session: a file that only this user can read, in the session's private directory. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "./random.ts";

const SECRET_BYTES = 32;
const SECRET_FILE = "secret";

export function makeSecret(sessionPath: string, random: Random): string {
  const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString("hex");
  storeSecret(sessionPath, secret);
  return secret;
}

/** Of a cluster that this machine has joined: its session proves itself with the cluster's. */
export function storeSecret(sessionPath: string, secret: string): void {
  writeFileSync(join(sessionPath, SECRET_FILE), secret, { mode: 0o600, flag: "wx" });
}

export function readSecret(sessionPath: string): string {
  return readFileSync(join(sessionPath, SECRET_FILE), "utf8");
}
