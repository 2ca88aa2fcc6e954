/**
 * Shows this process the devices of what it runs, in the vendors' variables, before user code can look: libraries read them
 * once. What is switched back was the process's own.
 */
type Variables = { readonly [name: string]: string };

let shown: Variables | undefined;
const before = new Map<string, string | undefined>();

/** @param variables undefined where the node has no devices: nothing is touched */
export function showDevices(variables: Variables | undefined): void {
  if (variables === shown) return;
  for (const [name, value] of before) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
  before.clear();
  for (const [name, value] of Object.entries(variables ?? {})) {
    before.set(name, process.env[name]);
    process.env[name] = value;
  }
  shown = variables;
}
