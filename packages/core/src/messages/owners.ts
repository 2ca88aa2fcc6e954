/** Owner service: every process that owns objects answers for them to those who borrow. */
import { bool, bytes, list, oneOf, opt, str, u53 } from "../wire/schema.ts";
import { message, oneWay, service, unary } from "../wire/service.ts";
import { Done, RefAddress } from "./common.ts";

/** Asks for a value; answered when it is there. */
export const GetObject = message(80, "GetObject", { sequence: u53 });
export const ObjectReply = message(81, "ObjectReply", {
  status: oneOf("inline", "stored", "error", "freed", "unknown"),
  /** The encoded value, or the encoded error. */
  value: opt(bytes),
  /** Where it is stored. */
  nodeId: opt(str),
  sizeBytes: opt(u53),
  nested: opt(list(RefAddress)),
});

/** The sender holds refs to these now. Who handed them over keeps holding until this is answered. */
export const AddBorrower = message(82, "AddBorrower", { borrowerId: str, sequences: list(u53) });
export const BorrowsAdded = message(83, "BorrowsAdded", { unknown: list(u53) });
/** The sender holds these no more. */
export const RemoveBorrower = message(84, "RemoveBorrower", { borrowerId: str, sequences: list(u53) });

/** free(): the value goes, though refs remain. */
export const FreeOwned = message(85, "FreeOwned", { sequences: list(u53) });
/** cancel() by somebody who borrows the ref. */
export const CancelOwned = message(86, "CancelOwned", { sequence: u53, force: bool, recursive: bool });

/** For `raia memory` and `raia list objects`. */
export const ListOwned = message(87, "ListOwned", { limit: u53 });
export const OwnedList = message(88, "OwnedList", { objects: bytes, tasks: bytes, total: u53 });

export const ownerService = service("owner", {
  getObject: unary(GetObject, ObjectReply),
  addBorrower: unary(AddBorrower, BorrowsAdded),
  removeBorrower: oneWay(RemoveBorrower),
  freeOwned: oneWay(FreeOwned),
  cancelOwned: oneWay(CancelOwned),
  listOwned: unary(ListOwned, OwnedList),
  ping: unary(message(89, "Ping", {}), Done),
});
