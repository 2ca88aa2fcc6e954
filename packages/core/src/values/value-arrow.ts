/**
 * Arrow tables and columns: as bytes of the Arrow IPC stream format, beside the body like any binary data, so a table in shared
 * memory is opened without a copy. The two libraries are optional; they are recognised by the shape of their objects and loaded
 * from the user's project. The list is closed: a received value can name no other module.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { currentDirectory } from "../base/current-directory.ts";
import { RaiaError } from "../base/errors.ts";
import { malformed } from "../base/byte-reader.ts";

/** What both libraries offer under these names. */
interface ArrowTable {
  getChildAt(index: number): object | null;
}
type AnyClass = abstract new (...args: never[]) => object;
interface ArrowLibrary {
  readonly Table: AnyClass;
  tableToIPC(table: unknown, options?: unknown): Uint8Array | null;
  tableFromIPC(bytes: Uint8Array): ArrowTable;
}
interface ApacheArrow extends ArrowLibrary {
  readonly Vector: AnyClass;
  readonly Table: new (columns: object) => object;
}
interface Flechette extends ArrowLibrary {
  readonly Column: AnyClass;
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

/** The copies of each library in this process: there may be one for `import` and one for `require`, which do not read each other's tables. */
const copies = new Map<number, ArrowLibrary[]>();

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
  const number = "tableFromColumns" in library ? FLECHETTE : APACHE;
  copies.set(number, [library as ArrowLibrary, ...(copies.get(number) ?? [])]);
}

/** @returns undefined for what is neither a table nor a column of a library that is installed */
export function encodeArrow(value: object): EncodedArrow | undefined {
  if ("schema" in value && ("batches" in value || "children" in value)) return encodeTable(value);
  if ("data" in value && "type" in value && "nullCount" in value && Array.isArray(value.data)) return encodeColumn(value);
  return undefined;
}

function encodeTable(table: object): EncodedArrow | undefined {
  const number = "batches" in table ? APACHE : FLECHETTE;
  const library = owner(number, table, ({ Table }) => Table);
  return library === undefined ? undefined : encoded(number, form.table, library, table);
}

function encodeColumn(column: object): EncodedArrow | undefined {
  const apache = owner(APACHE, column, (library) => (library as ApacheArrow).Vector) as ApacheArrow | undefined;
  if (apache !== undefined) return encoded(APACHE, form.column, apache, new apache.Table({ v: column }));
  const flechette = owner(FLECHETTE, column, (library) => (library as Flechette).Column) as Flechette | undefined;
  return flechette === undefined ? undefined : encoded(FLECHETTE, form.column, flechette, flechette.tableFromColumns({ v: column }));
}

/** The copy of a library whose own class the object has; `instanceof` is true across copies. */
function owner(number: number, object: object, classOf: (library: ArrowLibrary) => AnyClass): ArrowLibrary | undefined {
  const isOwner = (library: ArrowLibrary): boolean => Object.prototype.isPrototypeOf.call(classOf(library).prototype as object, object);
  return copies.get(number)?.find(isOwner) ?? load(number).find(isOwner);
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
  const library = copies.get(number)?.[0] ?? load(number)[0];
  if (library === undefined) throw new RaiaError("CODEC_MISSING", { library: name, install: `npm install ${name}` });
  const table = library.tableFromIPC(bytes);
  return kind === form.table ? table : table.getChildAt(0);
}

/**
 * Loads the copies that the program may use, the likeliest first: the one for `require` only if the program has required it.
 * Synchronously, since encoding and decoding are.
 */
function load(number: number): ArrowLibrary[] {
  const name = LIBRARIES[number] as string;
  for (const from of [process.argv[1] ?? "", path.join(currentDirectory(), "noop.js"), fileURLToPath(import.meta.url)]) {
    if (!path.isAbsolute(from)) continue;
    const require = createRequire(from);
    try {
      const required = require.resolve(name);
      const imported = required.replace(/\.js$/, ".mjs");
      const files =
        require.cache[required] === undefined && existsSync(imported)
          ? [imported]
          : [...new Set([required, ...(existsSync(imported) ? [imported] : [])])];
      const found = files.map((file) => require(file) as ArrowLibrary);
      copies.set(number, [...new Set([...(copies.get(number) ?? []), ...found])]);
      return found;
    } catch {
      // Not installed there; the next place may have it.
    }
  }
  return [];
}
