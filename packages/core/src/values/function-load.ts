/**
 * The receiving side: waits for what a function needs (modules, stored bytes, compiled texts), then makes it again
 * (function-builder.ts).
 */
import { RaiaError } from "../base/errors.ts";
import { GraphBuilder } from "./function-builder.ts";
import { type BufferEntry, type Graph, unpackGraph } from "./function-graph.ts";
import type { ValueHooks } from "./function-hooks.ts";
import { type Importer, importerOf, importModule, loadUnit, type UnitFunction } from "./module-loader.ts";

/**
 * Makes the function that `shipFunction` packed. Code is compiled once for a text; other captures of it take some 20 us.
 *
 * @throws {RaiaError} FUNCTION_LOAD_FAILED when a module is missing here, has other code under that name, or the bytes are damaged
 */
export async function loadFunction(bytes: Uint8Array, hooks: ValueHooks): Promise<Function> {
  const graph = unpackGraph(bytes);
  const importerBases = graph.nodes.flatMap((node) => (node[0] === "importer" ? [node[1]] : []));
  const [modules, buffers, units, importers] = await Promise.all([
    Promise.all(graph.modules.map(importModule)),
    Promise.all(graph.buffers.map((entry) => loadBuffer(entry, hooks))),
    Promise.all(graph.units.map((unit) => compile(graph, unit))),
    Promise.all(importerBases.map(importerOf)),
  ]);
  const importerAt = new Map(importerBases.map((base, index) => [base, importers[index] as Importer]));
  return new GraphBuilder(bytes, graph, { modules, buffers, units, importerAt }, hooks).run();
}

async function compile(graph: Graph, unit: Graph["units"][number]): Promise<UnitFunction> {
  try {
    return await loadUnit(unit);
  } catch (error) {
    if (RaiaError.is(error)) throw error;
    throw new RaiaError(
      "FUNCTION_LOAD_FAILED",
      { function: graph.name, file: unit.address, reason: (error as Error).message },
      { cause: error },
    );
  }
}

async function loadBuffer(entry: BufferEntry, hooks: ValueHooks): Promise<Uint8Array> {
  if ("bytes" in entry) return entry.bytes.slice();
  if (hooks.loadLarge === undefined)
    throw new RaiaError("FUNCTION_LOAD_FAILED", { reason: "a captured buffer is in the object store, which cannot be read here" });
  return await hooks.loadLarge(entry.stored);
}
