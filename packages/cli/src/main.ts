/**
 * The `raia` command. Each subcommand is loaded when it is called: help and errors cost no more than they need.
 *
 * Exit codes: 0 done, 1 it could not be done, 2 it was called wrongly.
 */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { Command, CommanderError, Option } from "commander";
import { bytes, count, keyValues, number, text } from "./arguments.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { ListOptions } from "./commands/list.ts";
import type { MemoryOptions } from "./commands/memory.ts";
import type { StartOptions } from "./commands/start.ts";
import type { StatusOptions } from "./commands/status.ts";
import type { StopOptions } from "./commands/stop.ts";
import type { TimelineOptions } from "./commands/timeline.ts";
import type { MicrobenchmarkOptions } from "./microbenchmark/microbenchmark.ts";
import { EXIT_MISUSE, endWhenOutputFails, fail } from "./print.ts";

enableCompileCache?.();
endWhenOutputFails();
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

const program = new Command("raia")
  .description("Runs and looks at Raia clusters on this machine.")
  .version(version)
  .showHelpAfterError("(raia --help shows what there is)")
  .exitOverride();

const address = () =>
  new Option("--address <path>", "session directory of the cluster (default: RAIA_ADDRESS, else this user's standing one)").argParser(text);

const format = (meaning = "table for people, json for programs") =>
  new Option("--format <format>", meaning).choices(["table", "json"]).default("table");

// Before anything is started, stopped or written: a slip in a variable would mean another cluster.
program.hook("preAction", async () => (await import("@raia/core/cluster")).checkEnvironment(process.env));

program
  .command("start")
  .description("start a cluster that stands by itself")
  .requiredOption("--head", "start its head (the only kind on one machine)")
  .option("--num-cpus <count>", "CPUs to offer (default: those of the machine)", number)
  .option("--num-gpus <count>", "GPUs to offer (default: those found)", number)
  .option("--memory <size>", "memory to offer to tasks, such as 8GiB", bytes)
  .option("--resources <json>", 'other resources, as {"name": count}')
  .option("--labels <labels>", "labels of the node, as key=value,key=value", keyValues)
  .option("--object-store-memory <size>", "shared memory for objects (default: 30 % of memory)", bytes)
  .option("--spill-directory <path>", "where objects go when shared memory is full (default: in the session's directory)", text)
  .option("--block", "stay until the cluster ends; Ctrl-C ends it")
  .action(async (options: StartOptions) => (await import("./commands/start.ts")).start(options));

program
  .command("stop")
  .description("stop this user's standing clusters")
  .option("--force", "kill at once, without letting workers end")
  .action(async (options: StopOptions) => (await import("./commands/stop.ts")).stop(options));

program
  .command("status")
  .description("resources, workers, tasks and jobs of a cluster")
  .addOption(format())
  .addOption(address())
  .action(async (options: StatusOptions) => (await import("./commands/status.ts")).status(options));

program
  .command("list")
  .description("list what a cluster has")
  .argument("<kind>", "tasks, actors, placement-groups, objects, workers, nodes or jobs")
  .addOption(format("table for people, json with everything"))
  .option("--limit <count>", "at most so many rows", count, 100)
  .addOption(
    new Option("--filter <condition>", "only rows with key=value, or without it: key!=value; may be given again")
      .argParser((condition, all: string[]) => [...all, condition])
      .default([], "every row"),
  )
  .addOption(address())
  .action(async (kind: string, options: ListOptions) => (await import("./commands/list.ts")).list(kind, options));

program
  .command("memory")
  .description("objects by owner and creation site, shared memory, and memory of each process")
  .option("--limit <count>", "look at so many objects of each process", count, 10_000)
  .addOption(format())
  .addOption(address())
  .action(async (options: MemoryOptions) => (await import("./commands/memory.ts")).memory(options));

program
  .command("timeline")
  .description("write what happened to tasks as a trace for chrome://tracing or ui.perfetto.dev")
  .option("--output <file>", "where to write it", text, "raia-timeline.json")
  .option("--job <id>", "of one job only", text)
  .addOption(address())
  .action(async (options: TimelineOptions) => (await import("./commands/timeline.ts")).timeline(options));

program
  .command("explain")
  .description("say why a task, an object or an actor stands as it does")
  .argument("<id>", "as raia list shows it", text)
  .addOption(format())
  .addOption(address())
  .action(async (id: string, options: ExplainOptions) => (await import("./commands/explain.ts")).explain(id, options));

program
  .command("microbenchmark")
  .description("Ray's microbenchmark, against what the machine allows")
  .option("--only <row>", "rows whose name contains this, or of this number", text)
  .option("--json", "print JSON")
  .option("--quick", "shorter rounds")
  .addOption(new Option("--compare <system>", "ray: run Ray's own and print both").choices(["ray"]))
  .action(async (options: MicrobenchmarkOptions) => {
    const { microbenchmark } = await import("./microbenchmark/microbenchmark.ts");
    await microbenchmark(options, (line) => process.stdout.write(`${line}\n`));
  });

/**
 * Who stops half way through a name means one that begins so, where fewest changes would lead elsewhere: `stat` is `status`, not
 * `start`.
 */
function suggestBeginnings([given = ""]: readonly string[]): void {
  const names = program.commands.map((each) => each.name());
  const begun = names.filter((name) => name.startsWith(given));
  if (given === "" || begun.length === 0 || names.includes(given)) return;
  const meant = begun.length === 1 ? begun[0] : `one of ${begun.join(", ")}`;
  program.error(`error: unknown command '${given}'\n(Did you mean ${meant}?)`, { code: "commander.unknownCommand" });
}

async function run(): Promise<void> {
  suggestBeginnings(process.argv.slice(2));
  await program.parseAsync();
}

await run().catch((error: unknown) => {
  if (!(error instanceof CommanderError)) fail(error);
  // Help or a refusal was written; that this failed is heard of later, so the process ends by itself.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_MISUSE;
});
