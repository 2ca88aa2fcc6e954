/** A module with everything that can be imported, state included. */
export let counter = 0;
export function increment(by = 1): number {
  counter += by;
  return counter;
}
function hidden(x: number): number {
  return twice(x) + 1;
}
const twice = (x: number): number => x * 2;
export const arrow = (x: number): number => hidden(x);
export { hidden as shown, twice as double };
export class Shape {
  readonly #side: number;
  static count = 0;
  constructor(side = 2) {
    this.#side = side;
    Shape.count++;
  }
  get area(): number {
    return this.#side ** 2;
  }
  describe(): unknown {
    return { area: this.area, name: this.constructor.name };
  }
}
/** Not exported: it travels by the name it has at the top of the module. */
function unexported(x: number): string {
  return `unexported ${x}`;
}
export function giveUnexported(): (x: number) => string {
  return unexported;
}
/** A connection that cannot be sent: a closure of this module uses the one of its own process. */
class Pool {
  #queries = 0;
  query(text: string): string {
    return `${text} ${++this.#queries}`;
  }
}
const pool = new Pool();
const limits = { rows: 10 };
export const exportedLimits = { columns: 3 };
export function makeQuery(text: string): () => unknown[] {
  return () => [pool.query(text), limits.rows, exportedLimits.columns, counter];
}
export function setLimits(rows: number, columns: number): void {
  limits.rows = rows;
  exportedLimits.columns = columns;
}
export function makeWriter(): () => number {
  return () => ++counter;
}
export function makeAdder(n: number): (x: number) => number {
  return (x) => x + n;
}
// oxlint-disable-next-line import/no-default-export -- it is what is tested
export default function main(x: number): string {
  return `default ${x}`;
}
