/** Key-value pairs by namespace. Bytes are counted, so that a limit can be put on them all together. */
export class KvTable {
  readonly #namespaces = new Map<string, Map<string, Uint8Array>>();
  #entries = 0;
  #bytes = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Of keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  get(namespace: string, key: string): Uint8Array | undefined {
    return this.#namespaces.get(namespace)?.get(key);
  }

  set(namespace: string, key: string, value: Uint8Array): void {
    this.delete(namespace, key);
    const pairs = this.#namespaces.get(namespace) ?? new Map<string, Uint8Array>();
    this.#namespaces.set(namespace, pairs.set(key, value));
    this.#entries++;
    this.#bytes += key.length + value.byteLength;
  }

  delete(namespace: string, key: string): void {
    const pairs = this.#namespaces.get(namespace);
    const value = pairs?.get(key);
    if (pairs === undefined || value === undefined) return;
    pairs.delete(key);
    if (pairs.size === 0) this.#namespaces.delete(namespace);
    this.#entries--;
    this.#bytes -= key.length + value.byteLength;
  }

  /** In order. */
  keys(namespace: string, prefix: string): string[] {
    return [...(this.#namespaces.get(namespace)?.keys() ?? [])].filter((key) => key.startsWith(prefix)).sort();
  }
}
