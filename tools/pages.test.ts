import assert from "node:assert/strict";
import { test } from "node:test";
import { readPage } from "./pages.ts";

const page = `# Title

See [the guide](guide.md#part) and [elsewhere](https://example.org/x).

\`\`\`ts
const a = 1;
\`\`\`

then

\`\`\`ts continue
console.log(a);
\`\`\`

\`\`\`text output
1
\`\`\`

\`\`\`ts no-run
serve();
\`\`\`

\`\`\`sh
$ npm run demo -- --chaos   # a comment
# a comment alone
npm test
\`\`\`

\`\`\`\`md
\`\`\`ts
shown, not run
\`\`\`
\`\`\`\`
`;

test("programs keep the lines of the page and are joined by continue", () => {
  const { programs } = readPage(page);
  assert.equal(programs.length, 2);
  assert.deepEqual(
    programs.map(({ line, runs, output }) => ({ line, runs, output })),
    [
      { line: 5, runs: true, output: "1\n" },
      { line: 19, runs: false, output: undefined },
    ],
  );
  const pageLines = page.split("\n");
  const sourceLines = programs[0]?.source.split("\n") ?? [];
  for (const text of ["const a = 1;", "console.log(a);"]) assert.equal(sourceLines.indexOf(text), pageLines.indexOf(text));
});

test("commands lose prompt and comment; links lose their fragment; the web is not a file", () => {
  const { commands, links } = readPage(page);
  assert.deepEqual(commands, ["npm run demo -- --chaos", "npm test"]);
  assert.deepEqual(links, ["guide.md"]);
});

test("a page that is not well formed is refused", () => {
  assert.throws(() => readPage("```ts\nnever closed"), /line 1/);
  assert.throws(() => readPage("```ts continue\nx\n```\n"), /continues nothing/);
});
