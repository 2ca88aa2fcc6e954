/** A process of the tests: as "parent" it starts a child and tells its pid; as "child" it asks to die with its parent. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { dieWithParent } from "../../src/store/posix.ts";

const SIGKILL = 9;
const [role, parentPid] = process.argv.slice(2);

if (role === "parent") {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "child", String(process.pid)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.stdout.once("data", () => console.log(child.pid));
} else {
  console.log(dieWithParent(SIGKILL, Number(parentPid)) ? "watched" : "orphan");
}
// Lives until it is shot; should that fail, it does not stay for ever.
setTimeout(() => process.exit(1), 20_000);
