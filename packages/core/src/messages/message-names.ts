/** Every message by its tag, for traces of what processes say to one another. */
import * as gatewayMessages from "../wire/gateway-messages.ts";
import { Hello, Welcome } from "../wire/greeting.ts";
import type { Service } from "../wire/service.ts";
import { controlEvents, controlService, nodeControlService, nodeReports } from "./control.ts";
import { leaseEvents, leaseService, outputEvents, processService } from "./leases.ts";
import { storeEvents, storeService } from "./objects.ts";
import { ownerService } from "./owners.ts";
import { bundleService, placementGroupService } from "./placement-groups.ts";
import { hostService, PUSH_TAG, RESULT_TAG, STREAM_ITEM_TAG, workerEvents, workerService } from "./tasks.ts";

const services: readonly Service[] = [
  bundleService,
  controlEvents,
  controlService,
  hostService,
  leaseEvents,
  leaseService,
  nodeControlService,
  nodeReports,
  outputEvents,
  ownerService,
  placementGroupService,
  processService,
  storeEvents,
  storeService,
  workerEvents,
  workerService,
];

export const messageTags: readonly (readonly [tag: number, name: string])[] = [
  [Hello.tag, Hello.name],
  [Welcome.tag, Welcome.name],
  ...Object.values(gatewayMessages).map(({ tag, name }): [number, string] => [tag, name]),
  [PUSH_TAG, "Push"],
  [RESULT_TAG, "Result"],
  [STREAM_ITEM_TAG, "StreamItem"],
  ...services.flatMap(({ methods }) =>
    Object.values(methods).flatMap((method): [number, string][] => [
      [method.request.tag, method.request.name],
      ...(method.kind === "unary" ? [[method.reply.tag, method.reply.name] as [number, string]] : []),
    ]),
  ),
];

export const messageNames: ReadonlyMap<number, string> = new Map(messageTags);
