/**
 * How many connections may be open that have not said what they want. Whoever floods takes the room of its own address first,
 * and never that of connections which have proved themselves: those are not counted here.
 */
export interface AdmissionLimits {
  readonly perAddress: number;
  readonly total: number;
}

/** A gateway has at most 64 of these open towards another, so a machine with four of them behind one address has room. */
export const defaultAdmission: AdmissionLimits = { perAddress: 256, total: 1024 };

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: AdmissionLimits = defaultAdmission) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#total;
  }

  /** @returns why it may not come in; `undefined`: it is in, and must `leave` once */
  enter(address: string): "too-many" | "too-many-from-address" | undefined {
    const here = this.#perAddress.get(address) ?? 0;
    if (here >= this.#limits.perAddress) return "too-many-from-address";
    if (this.#total >= this.#limits.total) return "too-many";
    this.#perAddress.set(address, here + 1);
    this.#total++;
    return undefined;
  }

  leave(address: string): void {
    const left = (this.#perAddress.get(address) ?? 0) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
    this.#total--;
  }
}
