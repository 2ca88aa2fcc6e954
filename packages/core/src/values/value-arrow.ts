/**
 * Arrow tables and columns: as bytes of the Arrow IPC stream format, beside the body like any binary data, so a table in shared
 * memory is opened without a copy. The two libraries are optional; they are recognised by the shape of their objects and loaded
 * from the user's project. The list is closed: a received value can name no other module.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { RaiaError } from "../base/errors.ts";
import { malformed } from "../base/byte-reader.ts";

/** What both libraries offer under these names. */
interface ArrowTable {
  getChildAt(index: number): object | null;
}
interface ArrowLibrary {
  readonly Table: abstract new (...args: never[]) => object;
  tableToIPC(table: unknown, options?: unknown): Uint8Array | null;
  tableFromIPC(bytes: Uint8Array): ArrowTable;
}
interface ApacheArrow extends ArrowLibrary {
  readonly Vector: abstract new (...args: never[]) => object;
  readonly Table: new (columns: object) => object;
}
interface Flechette extends ArrowLibrary {
  readonly Column: abstract new (...args: never[]) => object;
  tableFromColumns(columns: object): object;
}

/** The position is the number on the wire: append only. */
const LIBRARIES = ["apache-arrow", "@uwdata/flechette"] as const;
const [APACHE, FLECHETTE] = [0, 1];
const form = { table: 0, column: 1 } as const;

export interface EncodedArrow {
  readonly library: number;
  readonly form: number;
  readonly bytes: Uint8Array;
}

const loaded = new Map<number, ArrowLibrary>();

/**
 * Gives a library to use, for programs in which it cannot be found by its name (a bundle).
 *
 * @throws {RaiaError} INVALID_ARGUMENT when it is neither of the two
 */
export function useArrowLibrary(library: object): void {
  const { tableToIPC, tableFromIPC } = library as Partial<ArrowLibrary>;
  if (typeof tableToIPC !== "function" || typeof tableFromIPC !== "function") {
    throw new RaiaError("INVALID_ARGUMENT", { expected: `the module ${LIBRARIES.join(" or ")}` });
  }
  loaded.set("tableFromColumns" in library ? FLECHETTE : APACHE, library as ArrowLibrary);
}

/** @returns undefined for what is neither a table nor a column of a library that is installed */
export function encodeArrow(value: object): EncodedArrow | undefined {
  if ("schema" in value && ("batches" in value || "children" in value)) return encodeTable(value);
  if ("data" in value && "type" in value && "nullCount" in value && Array.isArray(value.data)) return encodeColumn(value);
  return undefined;
}

function encodeTable(table: object): EncodedArrow | undefined {
  if ("batches" in table) {
    const apache = find(APACHE);
    return apache !== undefined && table instanceof apache.Table ? encoded(APACHE, form.table, apache, table) : undefined;
  }
  const flechette = find(FLECHETTE);
  return flechette !== undefined && table instanceof flechette.Table ? encoded(FLECHETTE, form.table, flechette, table) : undefined;
}

function encodeColumn(column: object): EncodedArrow | undefined {
  const apache = find(APACHE) as ApacheArrow | undefined;
  if (apache !== undefined && column instanceof apache.Vector) return encoded(APACHE, form.column, apache, new apache.Table({ v: column }));
  const flechette = find(FLECHETTE) as Flechette | undefined;
  if (flechette === undefined || !(column instanceof flechette.Column)) return undefined;
  return encoded(FLECHETTE, form.column, flechette, flechette.tableFromColumns({ v: column }));
}

function encoded(number: number, kind: number, library: ArrowLibrary, table: object): EncodedArrow {
  const bytes = library.tableToIPC(table, number === APACHE ? "stream" : { format: "stream" });
  if (bytes === null) throw new Error("the Arrow library wrote nothing");
  return { library: number, form: kind, bytes };
}

/** @param bytes stay in use by what is returned @throws {RaiaError} CODEC_MISSING when the library is not installed here */
export function decodeArrow(number: number, kind: number, bytes: Uint8Array): unknown {
  const name = LIBRARIES[number];
  if (name === undefined || kind > form.column) throw malformed("unknown Arrow library");
  const library = find(number);
  if (library === undefined) throw new RaiaError("CODEC_MISSING", { library: name, install: `npm install ${name}` });
  const table = library.tableFromIPC(bytes);
  return kind === form.table ? table : table.getChildAt(0);
}

function find(number: number): ArrowLibrary | undefined {
  let library = loaded.get(number);
  if (library === undefined) {
    library = load(LIBRARIES[number] as string);
    if (library !== undefined) loaded.set(number, library);
  }
  return library;
}

/**
 * Loads the copy that the program uses. A package may come twice, for `require` and for `import`: the first if the program has
 * required it, else the second. Loading is synchronous, since decoding is.
 */
function load(name: string): ArrowLibrary | undefined {
  for (const from of [process.argv[1] ?? "", path.join(process.cwd(), "noop.js"), fileURLToPath(import.meta.url)]) {
    if (!path.isAbsolute(from)) continue;
    const require = createRequire(from);
    try {
      const required = require.resolve(name);
      const imported = required.replace(/\.js$/, ".mjs");
      return require(require.cache[required] === undefined && existsSync(imported) ? imported : required) as ArrowLibrary;
    } catch {
      // Not installed there; the next place may have it.
    }
  }
  return undefined;
}
