/** How commands talk: plain lines and tables on stdout, what went wrong on stderr. No colours, so pipes and terminals get the same. */
export const EXIT_MISUSE = 2;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export type Format = "table" | "json";

/** The answer for programs. */
export function sayJson(answer: unknown): void {
  say(JSON.stringify(answer, undefined, 2));
}

/** Something besides the answer: the answer itself stays clean for programs. */
export function note(line: string): void {
  process.stderr.write(`raia: ${line}\n`);
}

export function fail(error: unknown): never {
  note(oneLine(error instanceof Error ? error.message : String(error)));
  // By its field: the class would load the engine, and help and errors cost no more than they need.
  process.exit((error as { code?: unknown } | undefined)?.code === "INVALID_OPTION" ? EXIT_MISUSE : 1);
}

/** The end of a log, for one, has lines of its own. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " | ");
}

/** The command was called wrongly. */
export function misuse(text: string): never {
  note(text);
  process.exit(EXIT_MISUSE);
}

/**
 * `raia list tasks | head` closes the pipe early: that is no failure. Where errors go may be the same pipe. An answer that could not
 * be written, to a full disk for one, is a failure.
 */
export function endWhenOutputFails(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isNeededSilent) return;
    if (error.code === "EPIPE") process.exit();
    fail(new Error(`the answer could not be written: ${error.message}`));
  });
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (!isNeededSilent) process.exit(error.code === "EPIPE" ? undefined : 1);
  });
}

let isNeededSilent = false;

/** From now on this process is there for what it does, whoever reads of it: a cluster must not outlive whoever is to end it. */
export function goOnWithoutReaders(): void {
  isNeededSilent = true;
}

/** Columns as wide as their widest cell, two blanks between; figures to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const isFigure = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d.,]*( [KMGT]iB| B| ms| s)?$/.test(row[column] ?? "")),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => (isFigure[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(UNITS.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power - 1]}`;
}

export function showDuration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

/** Enough of a task's or object's id to find it: the beginning of its owner's, and its number. `raia explain` takes it. */
export function showOwnedId(id: string): string {
  return `${id.slice(0, 8)}-${id.slice(-16).replace(/^0+(?=.)/, "")}`;
}
