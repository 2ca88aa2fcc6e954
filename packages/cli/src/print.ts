/** How commands talk: plain lines, tables for people, errors on stderr with an exit code. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function fail(error: unknown): never {
  process.stderr.write(`raia: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** Columns as wide as their widest cell, two blanks between. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
