/** A module of the program that is compiled, bundled or transformed. */
export const partName = "part";
export let partState = 0;
export function scale(x: number): number {
  return x * factor;
}
const factor = 10;
export function bumpPart(): number {
  return ++partState;
}
export class Animal {
  readonly name: string;
  constructor(name = "animal") {
    this.name = name;
  }
  describe(): unknown {
    return [this.name, factor];
  }
}
export const makeScaler =
  (by: number) =>
  (x: number): number =>
    scale(x) + by;
