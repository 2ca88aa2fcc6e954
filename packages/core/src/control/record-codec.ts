/**
 * Records are structures of `wire/schema.ts`, so what was written by an older version is read by a newer one, as messages
 * are: fields by position, new ones optional and at the end.
 */
import { packr } from "../wire/msgpack.ts";
import { bool, f64, type Infer, list, opt, str, struct, type Type, u32, u53 } from "../wire/schema.ts";

export function encodeRecord<T>(type: Type<T>, value: T): Uint8Array {
  return packr.pack(type.toWire(value));
}

/** @throws {RaiaError} PROTOCOL when the bytes are not of that type */
export function decodeRecord<T>(type: Type<T>, bytes: Uint8Array): T {
  return type.check(packr.unpack(bytes), type.what);
}

/** What a job was registered with; it goes when the job is over and forgotten. */
export const JobRecord = struct("JobRecord", {
  jobId: str,
  namespace: str,
  driverId: str,
  driverPid: u53,
  nodeId: opt(str),
  entrypoint: str,
  startedAtMs: f64,
  endedAtMs: opt(f64),
});
export type JobRecord = Infer<typeof JobRecord>;

/** What changes in an actor's life, beside its specification, which never does. */
export const LifeRecord = struct("LifeRecord", {
  incarnation: u32,
  restarts: u32,
  /** Belongs to a detached actor's family, so it outlives the job. */
  outlivesJob: bool,
  home: opt(struct("HomeRecord", { nodeId: str, workerId: str, address: str, pid: u53, disposes: opt(bool) })),
  /** Nobody holds it any more. */
  leaving: opt(bool),
});
export type LifeRecord = Infer<typeof LifeRecord>;

/** What changes in the life of a placement group. */
export const GroupLifeRecord = struct("GroupLifeRecord", {
  epoch: u32,
  /** By bundle; empty where it has no place. */
  nodeIds: list(str),
  wasWhole: bool,
  /** Belongs to a detached actor's family, or is detached itself. */
  outlivesJob: bool,
});
export type GroupLifeRecord = Infer<typeof GroupLifeRecord>;

/** Bytes of a message are only lent: what is kept longer is copied. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}
