/** What an array is besides a run of elements. */

/** Whether an array has named properties, or so many holes that listing what there is takes less room. */
export function isUnusualArray(value: readonly unknown[]): boolean {
  const { length } = value;
  // Much faster than asking for the names, of which all would be made as strings.
  const present = Object.values(value).length;
  if (present < length / 2) return true;
  let holes = 0;
  for (let i = 0; i < length; i++) if (value[i] === undefined && !(i in value)) holes++;
  return present + holes !== length;
}

/** Whether a property's name is the index of an element. */
export function isIndex(key: string): boolean {
  const number = Number(key);
  return Number.isInteger(number) && number >= 0 && number < 2 ** 32 - 1 && String(number) === key;
}
