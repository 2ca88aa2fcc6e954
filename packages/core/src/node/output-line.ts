/** One line of a worker's output, on its way to the driver. */
export interface OutputLine {
  /** Of the task or actor that the worker runs. */
  readonly name: string;
  readonly pid: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** `(square pid=123) text`, as Ray's users know it. */
export function showOutputLine({ name, pid, text }: OutputLine): string {
  return `(${name} pid=${pid}) ${text}`;
}
