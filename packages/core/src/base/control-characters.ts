/** What a line of text must not hold: line ends and escape codes, with which it would pass for other lines. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/gu;

export function hasControlCharacters(text: string): boolean {
  return text.search(CONTROL) >= 0;
}

export function withoutControlCharacters(text: string): string {
  return text.replaceAll(CONTROL, "\u{FFFD}");
}
