/**
 * The binary data that a function captures: views keep sharing the buffer they share, and of a buffer only the range that views
 * show is sent, for a small Buffer lives in a large pool. What is large goes to the store when the hooks offer one.
 */
import { types } from "node:util";
import type { BufferEntry, GraphNode } from "./function-graph.ts";
import type { Obstruction, ValueHooks } from "./function-hooks.ts";

/** Captured bytes past this go to the store. */
const STORE_FROM_BYTES = 100 * 1024;

/** The widest alignment that a typed array asks of its start. */
const ALIGNMENT_BYTES = 8;

interface BufferDraft {
  readonly node: number;
  readonly buffer: ArrayBuffer;
  isWhole: boolean;
  from: number;
  to: number;
  readonly views: { readonly node: number; readonly kind: string; readonly byteOffset: number; readonly length: number }[];
}

export interface PlacedMemory {
  readonly buffers: readonly BufferEntry[];
  readonly nodes: readonly (readonly [id: number, node: GraphNode])[];
  /** Bytes that travel with the function, by the node of their buffer. */
  readonly inline: readonly (readonly [id: number, bytes: number])[];
}

export class CapturedMemory {
  readonly #drafts = new Map<ArrayBuffer, BufferDraft>();

  /** The buffer itself is captured, so all of it is sent. */
  addWhole(buffer: ArrayBuffer, node: number): void {
    this.#draft(buffer, node).isWhole = true;
  }

  addView(view: ArrayBufferView, buffer: ArrayBuffer, nodes: { readonly view: number; readonly buffer: number }): void {
    const draft = this.#draft(buffer, nodes.buffer);
    const kind = Buffer.isBuffer(view) ? "Buffer" : ((view as unknown as Record<symbol, string>)[Symbol.toStringTag] ?? "DataView");
    const length = kind === "DataView" ? view.byteLength : (view as Uint8Array).length;
    draft.from = Math.min(draft.from, view.byteOffset);
    draft.to = Math.max(draft.to, view.byteOffset + view.byteLength);
    draft.views.push({ node: nodes.view, kind, byteOffset: view.byteOffset, length });
  }

  place(hooks: ValueHooks): PlacedMemory {
    const buffers: BufferEntry[] = [];
    const nodes: [number, GraphNode][] = [];
    const inline: [number, number][] = [];
    for (const { node, buffer, isWhole, from, to, views } of this.#drafts.values()) {
      const first = isWhole ? 0 : Math.min(from, to);
      const start = first - (first % ALIGNMENT_BYTES);
      const bytes = new Uint8Array(buffer, start, (isWhole ? buffer.byteLength : to) - start);
      if (bytes.byteLength > STORE_FROM_BYTES && hooks.storeLarge !== undefined) {
        buffers.push({ stored: hooks.storeLarge(bytes), byteLength: bytes.byteLength });
      } else {
        buffers.push({ bytes });
        inline.push([node, bytes.byteLength]);
      }
      nodes.push([node, ["buffer", buffers.length - 1]]);
      for (const view of views) nodes.push([view.node, ["view", view.kind, [node], view.byteOffset - start, view.length]]);
    }
    return { buffers, nodes, inline };
  }

  #draft(buffer: ArrayBuffer, node: number): BufferDraft {
    let draft = this.#drafts.get(buffer);
    if (draft === undefined) {
      draft = { node, buffer, isWhole: false, from: buffer.byteLength, to: 0, views: [] };
      this.#drafts.set(buffer, draft);
    }
    return draft;
  }
}

/** Says why the memory of a view cannot be sent, or undefined when it can. */
export function memoryObstruction(view: ArrayBufferView): Obstruction | undefined {
  if (!types.isArrayBuffer(view.buffer))
    return { reason: "it is memory shared between threads", wayOut: "copy it (slice()), or put() it and pass the ref" };
  if (view.buffer.detached)
    return { reason: "its memory was transferred away", wayOut: "send it before it is transferred, or send a copy" };
  return undefined;
}
