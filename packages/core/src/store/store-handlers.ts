/** The store service as its server answers it. A peer is a process of the node; the node knows its slot. */
import { RaiaError } from "../base/errors.ts";
import type { Facts } from "../base/errors.ts";
import type { storeService } from "../messages/objects.ts";
import type { Handlers } from "../wire/service.ts";
import type { StoreServer } from "./store-server.ts";

/** How many objects one listing may ask for. */
const MAX_LISTED = 10_000;

/** @param ended settles when nothing more can come of that process */
export function storeHandlers<Peer>(
  server: StoreServer,
  slotOf: (peer: Peer) => number,
  ended: (workerId: string) => Promise<void>,
): Handlers<typeof storeService, Peer> {
  return {
    sealObject: (request, peer) => server.seal(slotOf(peer), request),
    pinObjects: async ({ ids, timeoutMs }, peer) => ({ extents: await server.pin(slotOf(peer), ids, { timeoutMs }) }),
    unpinObjects: ({ ids }, peer) => server.unpin(slotOf(peer), ids),
    freeObjects: ({ ids }) => server.free(ids),
    requestSpace: async ({ bytes }, peer) => {
      if (bytes < 1) throw new RaiaError("PROTOCOL", { reason: "room for nothing was asked for" });
      return { offset: await server.requestSpace(slotOf(peer), bytes) };
    },
    adoptFile: async (request, peer) => {
      await server.adoptFile(slotOf(peer), request);
      return {};
    },
    abandonObject: ({ facts, ...request }) => server.abandon({ ...request, facts: facts as Facts | undefined }),
    keepOrphans: async ({ ownerId, ids }, peer) => {
      await ended(ownerId);
      return { kept: server.keepOrphans(slotOf(peer), ids) };
    },
    dropOrphans: ({ ids }, peer) => server.dropOrphans(slotOf(peer), ids),
    askUsage: () => server.usage(),
    listStored: ({ limit }) => server.list(Math.min(limit, MAX_LISTED)),
  };
}
