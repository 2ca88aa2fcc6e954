/** The processes of this machine that have registered: drivers and workers. */
import { RaiaError } from "../base/errors.ts";
import type { Connection } from "../wire/connection.ts";

export interface Member {
  readonly workerId: string;
  readonly kind: "driver" | "worker";
  readonly connection: Connection;
  /** Marks its blocks in the arena. */
  readonly slot: number;
  readonly jobId: string;
  readonly pid: number;
  readonly address: string;
}

export class MemberTable {
  readonly #members = new Map<string, Member>();

  get size(): number {
    return this.#members.size;
  }

  add(member: Member): void {
    this.#members.set(member.workerId, member);
  }

  /** @returns false when it was gone already, or has registered anew */
  remove(member: Member): boolean {
    return this.#members.get(member.workerId) === member && this.#members.delete(member.workerId);
  }

  /** @returns undefined when it cannot be told anything any more */
  connectionOf(workerId: string): Connection | undefined {
    const connection = this.#members.get(workerId)?.connection;
    return connection?.isClosed === false ? connection : undefined;
  }

  /** @throws {RaiaError} PROTOCOL when the process has not registered */
  of(connection: Connection): Member {
    const member = this.#members.get(connection.peerId);
    if (member === undefined)
      throw new RaiaError("PROTOCOL", { reason: "the process has not registered", peer: connection.peerId.slice(0, 8) });
    return member;
  }

  all(): Iterable<Member> {
    return this.#members.values();
  }

  drivers(): Member[] {
    return [...this.#members.values()].filter(({ kind }) => kind === "driver");
  }
}
