/** With which flags a process must start so that it can load what this process can: the same loaders, conditions and directory. */
import { currentDirectory } from "../base/current-directory.ts";

/** Flags that decide how modules are found, read and run. Each may be written `--flag value` or `--flag=value`. */
const WITH_VALUE = new Set([
  "--import",
  "--require",
  "-r",
  "--loader",
  "--experimental-loader",
  "--conditions",
  "-C",
  "--experimental-default-type",
  "--stack-trace-limit",
  "--disable-warning",
  "--icu-data-dir",
  "--openssl-config",
]);

const WITHOUT_VALUE =
  /^--(?:(?:no-)?(?:experimental-(?!test|sea|repl|eventsource|print)[\w-]+|enable-source-maps|preserve-symlinks(?:-main)?|deprecation|warnings|addons|strip-types|network-family-autoselection)|frozen-intrinsics|harmony[\w-]*|allow-[\w-]+|permission|use-system-ca|use-openssl-ca|unhandled-rejections=\w+|force-context-aware|expose-gc|stack-size=\d+)$/;

export interface ReceiverLaunch {
  readonly execArgv: readonly string[];
  readonly cwd: string;
}

/** Computed in the process that sends. What belongs to one process alone (inspector, profiler, `-e`, test runner, watch mode) is left out. */
export function receiverLaunchFlags(flags: readonly string[] = process.execArgv): ReceiverLaunch {
  const kept: string[] = [];
  for (let at = 0; at < flags.length; at++) {
    const flag = flags[at] as string;
    const [name = flag] = flag.split("=", 1);
    if (WITH_VALUE.has(name)) {
      kept.push(flag);
      if (!flag.includes("=")) kept.push(flags[++at] ?? "");
    } else if (WITHOUT_VALUE.test(flag)) kept.push(flag);
  }
  return { execArgv: kept, cwd: currentDirectory() };
}
