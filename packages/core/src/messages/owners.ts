/** Owner service: every process that owns objects answers for them to those who borrow. */
import { bool, bytes, list, oneOf, opt, str, struct, u53 } from "../wire/schema.ts";
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

/**
 * All that the sender holds of this owner. Sent first on a connection that replaces a lost one, which may have lost both
 * kinds of news; answered as AddBorrower is.
 */
export const BorrowsHeld = message(92, "BorrowsHeld", { borrowerId: str, sequences: list(u53) });

/** free(): the value goes, though refs remain. */
export const FreeOwned = message(85, "FreeOwned", { sequences: list(u53) });
/** cancel() by somebody who borrows the ref. */
export const CancelOwned = message(86, "CancelOwned", { sequence: u53, force: bool, recursive: bool, reason: opt(bytes) });

export const OwnedObject = struct("OwnedObject", {
  id: str,
  /** pending, inline, stored, error, or freed */
  state: str,
  bytes: u53,
  /** Refs in the owner itself. */
  handles: u53,
  /** What else keeps it there: tasks that take it, values that contain it. */
  holds: u53,
  /** Other processes with refs. */
  borrowers: u53,
  /** Where it was put, or the function that makes it. */
  site: str,
  nodeId: opt(str),
});
export const OwnedTask = struct("OwnedTask", {
  taskId: str,
  name: str,
  jobId: str,
  /** waiting (for arguments), queued, assigned (to a worker that has not begun it), running */
  state: str,
  attempt: u53,
  actorId: opt(str),
  /** Where it was sent. */
  workerId: opt(str),
  pid: opt(u53),
});
/** For `raia memory` and the lists: the newest, and how many there are of both together. */
export const ListOwned = message(87, "ListOwned", { limit: u53 });
export const OwnedList = message(88, "OwnedList", { objects: list(OwnedObject), tasks: list(OwnedTask), total: u53 });

/** Why a value is not there yet, as its owner sees it. `withinMs`: how long it may ask others for that. */
export const ExplainOwned = message(90, "ExplainOwned", { sequence: u53, path: opt(list(str)), withinMs: opt(u53) });
export const OwnedExplanation = message(91, "OwnedExplanation", { state: str, reasons: list(str) });

export const ownerService = service("owner", {
  getObject: unary(GetObject, ObjectReply),
  addBorrower: unary(AddBorrower, BorrowsAdded),
  removeBorrower: oneWay(RemoveBorrower),
  borrowsHeld: unary(BorrowsHeld, BorrowsAdded),
  freeOwned: oneWay(FreeOwned),
  cancelOwned: oneWay(CancelOwned),
  listOwned: unary(ListOwned, OwnedList),
  explainOwned: unary(ExplainOwned, OwnedExplanation),
  ping: unary(message(89, "Ping", {}), Done),
});
