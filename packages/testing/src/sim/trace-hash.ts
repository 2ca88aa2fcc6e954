/** One number for everything that happened, in its order: two runs of one seed must agree on it. @source FNV-1a */
export class TraceHash {
  #hash = 0x811c9dc5;
  readonly #number = new Float64Array(1);
  readonly #words = new Uint32Array(this.#number.buffer);

  add(text: string, number: number): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    this.#number[0] = number;
    hash = Math.imul(hash ^ (this.#words[0] as number), 0x01000193);
    hash = Math.imul(hash ^ (this.#words[1] as number), 0x01000193);
    this.#hash = hash;
  }

  get value(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
