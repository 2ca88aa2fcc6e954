/** Lays texts out so that each begins at its own line and column, whatever is written between them. */

export interface PlacedText {
  /** Offsets in the script it is from; they tell which texts lie inside others. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly column: number;
  readonly before: string;
  readonly text: string;
  readonly after: string;
}

/** Wider than this, a text is on the one line of a minified bundle, where nobody looks for a column. */
const MAX_COLUMN = 1000;

/**
 * @param firstLine the first line that may be used: -1 where the text can be given a line offset of -1
 * @returns the text and the line on which it begins. A function inside another one that came along comes after all others, at
 * a place that is not its own: a text cannot be in two places.
 */
export function layOut(
  header: string,
  texts: readonly PlacedText[],
  footer: string,
  firstLine: number,
): { text: string; startLine: number } {
  const sorted = texts.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const outer: PlacedText[] = [];
  const inner: PlacedText[] = [];
  for (const text of sorted) (text.start < (outer.at(-1)?.end ?? -1) ? inner : outer).push(text);

  const startLine = Math.max((outer[0]?.line ?? 0) - 1, firstLine);
  let result = header;
  let line = startLine;
  let column = header.length;
  const write = (text: string): void => {
    result += text;
    const lines = text.split(/\r\n|[\n\r\u2028\u2029]/);
    column = (lines.length === 1 ? column : 0) + (lines.at(-1) as string).length;
    line += lines.length - 1;
  };
  for (const { line: wantedLine, column: wantedColumn, before, text, after } of outer) {
    write(before);
    if (wantedLine > line) write("\n".repeat(wantedLine - line));
    if (wantedColumn > column && wantedColumn <= MAX_COLUMN) write(" ".repeat(wantedColumn - column));
    write(text);
    write(after);
  }
  for (const { before, text, after } of inner) write(`\n${before}${text}${after}`);
  write(footer);
  return { text: result, startLine };
}
