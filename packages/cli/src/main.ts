/** The `raia` command. Each subcommand is loaded when it is called: help and errors cost no more than they need. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { fail } from "./print.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

const program = new Command("raia")
  .description("Runs and looks at Raia clusters on this machine.")
  .version(version)
  .showHelpAfterError("(raia --help shows what there is)");

program
  .command("start")
  .description("start a cluster that stands by itself")
  .requiredOption("--head", "start its head (the only kind on one machine)")
  .option("--num-cpus <count>", "CPUs to offer (default: those of the machine)", Number)
  .option("--num-gpus <count>", "GPUs to offer (default: those found)", Number)
  .option("--memory <bytes>", "memory to offer", Number)
  .option("--resources <json>", 'other resources, as {"name": count}')
  .option("--object-store-memory <bytes>", "shared memory for objects (default: 30 % of memory)", Number)
  .action(async (options: Record<string, unknown>) => (await import("./commands/start.ts")).start(options));

program
  .command("stop")
  .description("stop this user's standing clusters")
  .action(async () => (await import("./commands/stop.ts")).stop());

program
  .command("status")
  .description("resources, workers and jobs")
  .option("--address <path>", "session directory of the cluster (default: this user's running one)")
  .action(async (options: Record<string, unknown>) => (await import("./commands/status.ts")).status(options));

program
  .command("list")
  .description("list what a cluster has")
  .argument("<kind>", "workers, actors, jobs or nodes")
  .option("--format <format>", "table or json", "table")
  .option("--address <path>", "session directory of the cluster (default: this user's running one)")
  .action(async (kind: string, options: Record<string, unknown>) => (await import("./commands/list.ts")).list(kind, options));

program
  .command("memory")
  .description("use of the object store, and by whom")
  .option("--address <path>", "session directory of the cluster (default: this user's running one)")
  .action(async (options: Record<string, unknown>) => (await import("./commands/memory.ts")).memory(options));

program
  .command("microbenchmark")
  .description("Ray's microbenchmark, against what the machine allows")
  .option("--only <row>", "rows whose name contains this, or of this number")
  .option("--json", "print JSON")
  .option("--quick", "shorter rounds")
  .option("--compare <system>", "ray: run Ray's own and print both")
  .action(async (options: Record<string, unknown>) => {
    const { microbenchmark } = await import("./microbenchmark/microbenchmark.ts");
    await microbenchmark(options, (line) => process.stdout.write(`${line}\n`));
  });

await program.parseAsync().catch(fail);
