/** Reads the programs, commands and links out of a Markdown page. */

export type Program = {
  /** One-based line of its first fence. */
  readonly line: number;
  /** Every statement on the line that it has in the page, so that errors point there. */
  readonly source: string;
  /** Marked `no-run`: only type-checked, because it needs what a test has not (a cluster, minutes, a terminal). */
  readonly runs: boolean;
  /** The block marked `text output` that follows: what the program prints. */
  readonly output: string | undefined;
};

export type Page = {
  readonly programs: readonly Program[];
  /** Lines of `sh` blocks, without prompt and comment. */
  readonly commands: readonly string[];
  /** Targets of links to files of the repository, without the fragment. */
  readonly links: readonly string[];
};

type Block = { readonly line: number; readonly language: string; readonly marks: readonly string[]; readonly body: readonly string[] };

/**
 * A `ts` block is a program of its own; `ts continue` belongs to the program before it.
 *
 * @throws {Error} when a fence is not closed or a block continues nothing
 */
export function readPage(text: string): Page {
  const { blocks, prose } = split(text);
  const programs: { line: number; lines: string[]; runs: boolean; output?: string }[] = [];
  const commands: string[] = [];
  for (const { line, language, marks, body } of blocks) {
    const last = programs.at(-1);
    if (language === "ts" && marks.includes("continue")) {
      if (last === undefined) throw new Error(`line ${line}: a block that continues nothing`);
      while (last.lines.length < line) last.lines.push("");
      last.lines.push(...body);
    } else if (language === "ts") {
      programs.push({ line, lines: [...Array<string>(line).fill(""), ...body], runs: !marks.includes("no-run") });
    } else if (language === "text" && marks.includes("output")) {
      if (last === undefined) throw new Error(`line ${line}: the output of nothing`);
      last.output = `${body.join("\n")}\n`;
    } else if (language === "sh" || language === "bash" || language === "console") {
      commands.push(
        ...body
          .map((command) =>
            command
              .replace(/^\$ /, "")
              .replace(/\s+#.*$/, "")
              .trim(),
          )
          .filter((command) => command !== "" && !command.startsWith("#")),
      );
    }
  }
  return {
    programs: programs.map(({ line, lines, runs, output }) => ({ line, source: `${lines.join("\n")}\n`, runs, output })),
    commands,
    links: [...prose.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target]) => target ?? "").filter((target) => !/^[a-z]+:/.test(target)),
  };
}

function split(text: string): { blocks: Block[]; prose: string } {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: { fence: string; block: Block & { body: string[] } } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^(`{3,})\s*(.*)$/.exec(line);
    if (open !== undefined) {
      if (line.trimEnd() === open.fence) {
        blocks.push(open.block);
        open = undefined;
      } else open.block.body.push(line);
    } else if (fence !== null) {
      const [language = "", ...marks] = (fence[2] ?? "").split(/\s+/);
      open = { fence: fence[1] ?? "", block: { line: index + 1, language, marks, body: [] } };
    } else prose.push(line);
  }
  if (open !== undefined) throw new Error(`line ${open.block.line}: the block is not closed`);
  return { blocks, prose: prose.join("\n") };
}
