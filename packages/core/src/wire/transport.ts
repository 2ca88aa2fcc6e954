/**
 * Bytes between processes, behind one interface: Unix sockets within a machine, memory within a process (tests, the
 * simulator, `inProcess` mode). A stream delivers bytes in order and whole, or closes.
 */
export interface ByteStream {
  /** Takes over `bytes`: the caller does not touch them again. */
  write(bytes: Uint8Array): void;
  /** Bytes written and not yet handed to the system: what a sender must watch to stay bounded. */
  readonly bufferedBytes: number;
  /** Whether the process stays alive for this stream. It does, until told otherwise. */
  keepAlive(isNeeded: boolean): void;
  /** Ends after what was written has been sent. */
  close(): void;
  /** Called once, before any event. */
  start(events: StreamEvents): void;
}

export interface StreamEvents {
  data(bytes: Uint8Array): void;
  /** Exactly once, whoever closed. */
  closed(reason: string): void;
}

export interface Listener {
  readonly address: string;
  keepAlive(isNeeded: boolean): void;
  close(): Promise<void>;
}

export interface Transport {
  listen(address: string, onStream: (stream: ByteStream) => void): Promise<Listener>;
  /** Rejects with CONNECTION_LOST when nobody answers. */
  dial(address: string): Promise<ByteStream>;
}
