/** Where join tokens are kept, as hashes. Taking one is atomic: of two that come with the same token, one is let in. */
import type { Clock } from "../base/clock.ts";
import { RaiaError } from "../base/errors.ts";
import { readPrivateFile, refused, writePrivateFile } from "./private-file.ts";
import { isRole, type Role } from "./peer-name.ts";

export interface StoredToken {
  readonly hash: string;
  readonly role: Role;
  /** Milliseconds since 1970: tokens outlive the process that made them. */
  readonly expiresAtMs: number;
}

export type TakenToken = { readonly kind: "taken"; readonly role: Role } | { readonly kind: "unknown" | "used" | "expired" };

export interface TokenStore {
  /** Resolves when it is kept. @throws {RaiaError} LIMIT_EXCEEDED when too many are open */
  add(token: StoredToken): Promise<void>;
  /** Resolves when it is kept that this one is used. */
  take(hash: string): Promise<TakenToken>;
}

/** So many tokens are remembered. Whoever makes more has a program that leaks them. */
const MAX_TOKENS = 10_000;
/** So long it is remembered that one was used or has expired, to say so to whoever comes with it. */
const REMEMBERED_MS = 24 * 3_600_000;

interface Kept extends StoredToken {
  readonly isUsed: boolean;
}

/** In memory, and in `persist` if something is to outlive this process. */
export class MemoryTokenStore implements TokenStore {
  readonly #tokens = new Map<string, Kept>();
  readonly #clock: Clock;
  readonly #persist: (tokens: readonly Kept[]) => void;

  constructor(clock: Clock, known: readonly Kept[] = [], persist: (tokens: readonly Kept[]) => void = () => {}) {
    this.#clock = clock;
    this.#persist = persist;
    for (const token of known) this.#tokens.set(token.hash, token);
  }

  async add(token: StoredToken): Promise<void> {
    this.#forgetOld();
    if (this.#tokens.size >= MAX_TOKENS) throw new RaiaError("LIMIT_EXCEEDED", { limit: "join tokens", most: MAX_TOKENS });
    this.#keep({ ...token, isUsed: false });
  }

  async take(hash: string): Promise<TakenToken> {
    const token = this.#tokens.get(hash);
    if (token === undefined) return { kind: "unknown" };
    if (token.isUsed) return { kind: "used" };
    if (token.expiresAtMs <= this.#clock.wallMs()) return { kind: "expired" };
    this.#keep({ ...token, isUsed: true });
    return { kind: "taken", role: token.role };
  }

  #keep(token: Kept): void {
    const before = this.#tokens.get(token.hash);
    this.#tokens.set(token.hash, token);
    try {
      this.#persist([...this.#tokens.values()]);
    } catch (error) {
      // Not kept, so nobody may act as if it were.
      if (before === undefined) this.#tokens.delete(token.hash);
      else this.#tokens.set(token.hash, before);
      throw error;
    }
  }

  #forgetOld(): void {
    const beforeMs = this.#clock.wallMs() - REMEMBERED_MS;
    for (const token of this.#tokens.values()) if (token.expiresAtMs < beforeMs) this.#tokens.delete(token.hash);
  }
}

/** In a private file: tokens hold across a restart of the process that made them. */
export function openTokenFile(path: string, clock: Clock): TokenStore {
  const content = readPrivateFile(path);
  const known = content === undefined ? [] : parseTokens(path, content);
  return new MemoryTokenStore(clock, known, (tokens) => writePrivateFile(path, JSON.stringify(tokens)));
}

function parseTokens(path: string, content: string): readonly Kept[] {
  try {
    const tokens = JSON.parse(content) as readonly Partial<Kept>[];
    return tokens.map(({ hash, role, expiresAtMs, isUsed }) => {
      if (typeof hash !== "string" || role === undefined || !isRole(role) || typeof expiresAtMs !== "number" || typeof isUsed !== "boolean")
        throw new RangeError("a token is incomplete");
      return { hash, role, expiresAtMs, isUsed };
    });
  } catch (error) {
    throw refused(path, "is not what was written there", error);
  }
}
