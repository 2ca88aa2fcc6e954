/**
 * Ids are hex strings of Ray's sizes, so that what shows them (HTTP, CLI, dashboards) keeps its shape. A process draws a
 * random id and numbers what it makes; the id of a task or object is its owner's id and that number, so it can be written
 * down without asking anybody.
 */
import type { Random } from "./random.ts";

export type JobId = string;
export type NodeId = string;
export type WorkerId = string;
export type ActorId = string;
export type TaskId = string;
export type ObjectId = string;
export type LeaseId = string;

const NODE_ID_BYTES = 28;
const WORKER_ID_BYTES = 28;
const ACTOR_UNIQUE_BYTES = 12;
const PLACEMENT_GROUP_UNIQUE_BYTES = 14;

export function newNodeId(random: Random): NodeId {
  return hex(random.bytes(NODE_ID_BYTES));
}

export function newWorkerId(random: Random): WorkerId {
  return hex(random.bytes(WORKER_ID_BYTES));
}

/** 16 bytes: 12 of chance, then the job. */
export function newActorId(random: Random, jobId: JobId): ActorId {
  return hex(random.bytes(ACTOR_UNIQUE_BYTES)) + jobId;
}

/** 18 bytes: 14 of chance, then the job. */
export function newPlacementGroupId(random: Random, jobId: JobId): string {
  return hex(random.bytes(PLACEMENT_GROUP_UNIQUE_BYTES)) + jobId;
}

/** 4 bytes, counted by the control plane. */
export function jobIdOf(number: number): JobId {
  return number.toString(16).padStart(8, "0");
}

/** 28 bytes: 20 of the owner's id, 8 of the number that the owner gave the object. */
export function objectIdOf(ownerId: WorkerId, sequence: number): ObjectId {
  return ownerPart(ownerId) + sequence.toString(16).padStart(16, "0");
}

/** What the id of an object has in common with that of its owner. */
export function ownerPart(id: string): string {
  return id.slice(0, 40);
}

/** 24 bytes: 16 of the owner's id, 8 of the number of the task's first return. */
export function taskIdOf(ownerId: WorkerId, sequence: number): TaskId {
  return ownerId.slice(0, 32) + sequence.toString(16).padStart(16, "0");
}

/** The beginning of its owner's id. */
export function ownerOfTask(taskId: TaskId): string {
  return taskId.slice(0, 32);
}

export function leaseIdOf(ownerId: WorkerId, number: number): LeaseId {
  return `${ownerId.slice(0, 24)}-${number.toString(16)}`;
}

/** The first characters, for people. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
