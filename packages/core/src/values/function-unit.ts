/**
 * Puts the functions of one script back into one text, a unit, in which they share what they shared: the variables of their
 * module (or of the top of their script) become variables of the unit, constants unless a function that comes along writes them.
 *
 * In the unit, each function stands inside a creator, a hoisted function whose parameters are the captures that belong to it
 * alone (variables of a function or a loop). Creators make instances in any order, so no order of declarations has to be found,
 * and two closures of one text share it. The text begins by handing its creators over, then asks for the shared values:
 *
 *     function($raia){"use strict";$raia([$raia_0,$raia_1]);const config=$raia(0),helper=$raia(1);let count=$raia(2);
 *     function $raia_0(name){return(
 *           (x) => helper(x, name, config) + count++            <- at its own line and column
 *     )}...
 */
import type { Child, NodeReference, Properties, Unit } from "./function-graph.ts";
import type { Obstruction } from "./function-hooks.ts";
import { layOut, type PlacedText } from "./function-layout.ts";
import type { Binding, Edit, ImportedName, Site } from "./function-site.ts";
import { type ScriptSyntax, UNIT_MARKER } from "./function-syntax.ts";

/** A variable that a function uses, with its value at the moment of capture. */
export interface Capture {
  readonly name: string;
  readonly binding: Binding | undefined;
  readonly isWritten: boolean;
  readonly value?: unknown;
  /** The global object of a variable that all scripts of its realm share: cells of a notebook, lines of the REPL. */
  readonly realm?: object;
  /** Undefined also for an import, which the unit declares itself. */
  readonly child: Child;
}

/** A function that will travel as text. */
export interface FunctionDraft {
  readonly id: number;
  readonly scriptId: string;
  readonly syntax: ScriptSyntax;
  readonly site: Site;
  readonly base: string;
  readonly captures: readonly Capture[];
  /** Global names that it uses. */
  readonly globals: readonly string[];
  readonly definitions: readonly { readonly edit: Edit; readonly child: Child }[];
  /** Its declared name would hide the variable of that name, which holds something else by now. */
  readonly blankName: boolean;
  readonly pick: "value" | "method" | "get" | "set";
  readonly name: string | undefined;
  readonly properties: Properties | undefined;
}

/** With the name, what makes two captures the same variable. */
type CellKey = Binding | object | string;

export interface Cell {
  readonly name: string;
  readonly key: CellKey;
  readonly child: Child;
  readonly realm: object | undefined;
  isWritten: boolean;
  isLate: boolean;
}

export interface Param {
  readonly name: string;
  readonly child: Child;
  readonly isWritten: boolean;
  /** `late`: known only after the function exists; `self`: it is the function. */
  when: "now" | "late" | "self";
}

/** What one unit will hold, before it is text. */
export interface UnitPlan {
  readonly drafts: FunctionDraft[];
  readonly imports: Map<string, ImportedName>;
  readonly cells: Map<string, Cell>;
  /** An object that holds variables which functions of several scripts share and write. */
  box: NodeReference | undefined;
  readonly params: Map<FunctionDraft, Param[]>;
}

export interface PlanContext {
  refuse(node: number, obstruction: Obstruction, label?: string): void;
  /** An object with these variables as its properties. */
  boxNode(cells: readonly Cell[], parent: number): NodeReference;
  /** The node of a global, for a function that would otherwise see a variable of the unit under that name. */
  globalNode(name: string, parent: number): NodeReference;
}

/** Groups the functions by script and decides for each capture whether the unit or the function owns it. */
export function planUnits(drafts: readonly FunctionDraft[], context: PlanContext): UnitPlan[] {
  const byScript = new Map<string, UnitPlan>();
  for (const draft of drafts) {
    let plan = byScript.get(draft.scriptId);
    if (plan === undefined) {
      plan = { drafts: [], imports: new Map(), cells: new Map(), box: undefined, params: new Map() };
      byScript.set(draft.scriptId, plan);
    }
    plan.drafts.push(draft);
  }
  const plans = [...byScript.values()];
  for (const plan of plans) placeCaptures(plan, context);
  shareOverScripts(plans, context);
  return plans;
}

/**
 * A variable of the REPL or of a notebook belongs to all scripts, and texts of different scripts cannot declare it together. If one
 * of them writes it, it becomes the property of an object that all of them have around them (`with`): slow, but one.
 */
function shareOverScripts(plans: readonly UnitPlan[], context: PlanContext): void {
  const users = new Map<object, Map<string, { readonly plan: UnitPlan; readonly cell: Cell }[]>>();
  for (const plan of plans) {
    for (const cell of plan.cells.values()) {
      if (cell.realm === undefined) continue;
      const names = users.get(cell.realm) ?? new Map<string, { readonly plan: UnitPlan; readonly cell: Cell }[]>();
      users.set(cell.realm, names);
      names.set(cell.name, [...(names.get(cell.name) ?? []), { plan, cell }]);
    }
  }
  for (const names of users.values()) {
    const shared = [...names.values()].filter((uses) => uses.length > 1 && uses.some(({ cell }) => cell.isWritten));
    const cells = shared.flatMap(([first]) => (first === undefined ? [] : [first.cell]));
    if (cells.length === 0) continue;
    const box = context.boxNode(cells, shared[0]?.[0]?.plan.drafts[0]?.id ?? 0);
    for (const { plan, cell } of shared.flat()) {
      plan.box = box;
      plan.cells.delete(cell.name);
      if (isModulePlan(plan)) context.refuse(plan.drafts[0]?.id ?? 0, SHARED_WRITE, cell.name);
    }
  }
}

const SHARED_WRITE: Obstruction = {
  reason: "several functions share this variable and one of them writes it, which would be lost between processes",
  wayOut: "keep it in an actor, or in a property of an object that all of them capture",
};

function isModulePlan(plan: UnitPlan): boolean {
  return plan.imports.size > 0 || plan.drafts.some(({ site }) => site.needsModule);
}

function placeCaptures(plan: UnitPlan, context: PlanContext): void {
  for (const { captures } of plan.drafts) {
    for (const { binding, name } of captures)
      if (binding?.kind === "import" && binding.imported !== undefined) plan.imports.set(name, binding.imported);
  }
  for (const draft of plan.drafts) for (const capture of draft.captures) claimCell(plan, capture);
  const sharing = new Map<Binding, { readonly draft: FunctionDraft; readonly capture: Capture }[]>();
  for (const draft of plan.drafts) {
    const params: Param[] = [];
    for (const capture of draft.captures) {
      if (capture.binding?.kind === "import") continue;
      // One function reads the module's own variable, this one would write a copy of it.
      if (capture.isWritten && plan.imports.has(capture.name)) context.refuse(draft.id, SHARED_WRITE, capture.name);
      const cell = plan.cells.get(capture.name);
      if (cell !== undefined && cell.key === cellKey(capture)) continue;
      params.push({ name: capture.name, child: capture.child, isWritten: capture.isWritten, when: "now" });
      if (capture.binding === undefined) continue;
      const sharers = sharing.get(capture.binding);
      if (sharers === undefined) sharing.set(capture.binding, [{ draft, capture }]);
      else sharers.push({ draft, capture });
    }
    for (const name of draft.globals) {
      if (plan.cells.has(name) || plan.imports.has(name))
        params.push({ name, child: context.globalNode(name, draft.id), isWritten: false, when: "now" });
    }
    plan.params.set(draft, params);
  }
  for (const sharers of sharing.values()) refuseSharedWrites(sharers, context);
}

/** A variable of which there is only one in the program is one in the unit, if no other variable of its name was first. */
function claimCell(plan: UnitPlan, capture: Capture): void {
  if (capture.binding?.kind === "import" || capture.binding?.kind === "scoped" || plan.imports.has(capture.name)) return;
  const key = cellKey(capture);
  const cell = plan.cells.get(capture.name);
  if (cell === undefined)
    plan.cells.set(capture.name, {
      name: capture.name,
      key,
      child: capture.child,
      realm: capture.realm,
      isWritten: capture.isWritten,
      isLate: false,
    });
  else if (cell.key === key) cell.isWritten ||= capture.isWritten;
}

function cellKey({ binding, name, realm }: Capture): CellKey {
  return realm ?? binding ?? name;
}

/**
 * V8 does not tell whether two closures share one instance of a variable. If nobody writes it, it does not matter; if the values
 * differ, they do not share it; else the copies could drift apart without anybody noticing.
 */
function refuseSharedWrites(sharers: readonly { readonly draft: FunctionDraft; readonly capture: Capture }[], context: PlanContext): void {
  if (sharers.length < 2 || !sharers.some(({ capture }) => capture.isWritten)) return;
  if (new Set(sharers.map(({ capture }) => capture.value)).size === sharers.length) return;
  const [first] = sharers;
  if (first === undefined) return;
  context.refuse(first.draft.id, SHARED_WRITE, first.capture.name);
}

export interface BuiltUnit {
  readonly unit: Unit;
  /** Which creator makes each function, and with what. */
  readonly instances: Map<
    FunctionDraft,
    { readonly creator: number; readonly params: readonly Child[]; readonly late: readonly (readonly [string, Child])[] }
  >;
}

interface Creator {
  readonly draft: FunctionDraft;
  readonly params: readonly Param[];
  readonly definitionNames: readonly string[];
}

/** Writes the text, once it is known which captures come late. */
export function buildUnit(plan: UnitPlan): BuiltUnit {
  const [first] = plan.drafts as [FunctionDraft, ...FunctionDraft[]];
  const prefix = freePrefix(plan);
  const creators = new Map<string, { readonly index: number; readonly creator: Creator }>();
  const instances: BuiltUnit["instances"] = new Map();
  for (const draft of plan.drafts) {
    const params = plan.params.get(draft) ?? [];
    const shape = JSON.stringify([draft.site.start, draft.blankName, params.map(({ name, when }) => [name, when])]);
    let found = creators.get(shape);
    if (found === undefined) {
      found = { index: creators.size, creator: { draft, params, definitionNames: definitionNames(draft, params) } };
      creators.set(shape, found);
    }
    instances.set(draft, {
      creator: found.index,
      params: [...params.filter(({ when }) => when === "now").map(({ child }) => child), ...draft.definitions.map(({ child }) => child)],
      late: params.filter(({ when }) => when === "late").map(({ name, child }) => [name, child]),
    });
  }

  const list = [...creators.values()].map(({ creator }) => creator);
  const isModule = isModulePlan(plan);
  const isStrict = list.every(({ draft }) => draft.site.isStrict);
  const cells = [...plan.cells.values()];
  const placed = list.map((creator, index) => placeCreator(creator, `${prefix}_${index}`, prefix, !isStrict));
  const { text, startLine } = layOut(
    header(plan, cells, list.length, prefix, isModule, isStrict, first),
    placed,
    `}${plan.box === undefined ? "" : ")()}"}${isModule ? "" : ")"}`,
    isModule ? 0 : -1,
  );
  return {
    unit: {
      form: isModule ? "module" : "script",
      address: first.syntax.script.url,
      base: first.base,
      startLine,
      text,
      cells: [...(plan.box === undefined ? [] : [plan.box]), ...cells.filter(({ isLate }) => !isLate).map(({ child }) => child)],
      lateCells: cells.filter(({ isLate }) => isLate).map(({ name, child }) => [name, child]),
    },
    instances,
  };
}

function header(
  plan: UnitPlan,
  cells: readonly Cell[],
  creatorCount: number,
  prefix: string,
  isModule: boolean,
  isStrict: boolean,
  { base }: FunctionDraft,
): string {
  let text = UNIT_MARKER;
  for (const [local, { specifier, name, attributes }] of plan.imports) {
    const what = name === undefined ? `* as ${local}` : `{${JSON.stringify(name)} as ${local}}`;
    const withAttributes = Object.keys(attributes).length === 0 ? "" : `with${JSON.stringify(attributes)}`;
    text += `import ${what} from${JSON.stringify(specifier)}${withAttributes};`;
  }
  text += isModule ? "export default " : "(";
  text += `function(${prefix}){`;
  // The first value is the object; a strict function may stand inside \`with\`, not contain it.
  if (plan.box !== undefined) text += `with(${prefix}(0))return(function(){`;
  if (isStrict) text += `"use strict";`;
  if (isModule) text += `import.meta.url=${JSON.stringify(base)};import.meta.main=false;`;
  text += `${prefix}([${Array.from({ length: creatorCount }, (_, index) => `${prefix}_${index}`).join()}]);`;
  const now = cells.filter(({ isLate }) => !isLate);
  const offset = plan.box === undefined ? 0 : 1;
  const value = (cell: Cell): string => `${cell.name}=${prefix}(${now.indexOf(cell) + offset})`;
  const constants = now.filter(({ isWritten }) => !isWritten).map(value);
  const variables = [
    ...now.filter(({ isWritten }) => isWritten).map(value),
    ...cells.filter(({ isLate }) => isLate).map(({ name }) => name),
  ];
  if (constants.length > 0) text += `const ${constants.join()};`;
  if (variables.length > 0) text += `let ${variables.join()};`;
  for (const { name } of cells.filter(({ isLate }) => isLate)) text += `${prefix}(${JSON.stringify(name)},${setter(name)});`;
  return text;
}

function setter(name: string): string {
  return name === "v" ? "(w)=>{v=w}" : `(v)=>{${name}=v}`;
}

function placeCreator(
  { draft, params, definitionNames: names }: Creator,
  name: string,
  prefix: string,
  needsDirective: boolean,
): PlacedText {
  const { site, syntax } = draft;
  const late = params.filter(({ when }) => when === "late").map((param) => param.name);
  const self = params.filter(({ when }) => when === "self").map((param) => param.name);
  const given = [
    ...params.filter(({ when }) => when === "now").map((param) => param.name),
    ...names,
    ...(late.length > 0 ? [`${prefix}_s`] : []),
  ];
  let before = `function ${name}(${given.join()}){`;
  if (needsDirective && site.isStrict) before += `"use strict";`;
  if (late.length > 0)
    before += `let ${late.join()};${late.map((each) => `${prefix}_s(${JSON.stringify(each)},${setter(each)});`).join("")}`;
  const isMethod = draft.pick !== "value";
  const [open, close] = isMethod ? ["({", "})"] : ["(", ")"];
  before += self.length > 0 ? `const ${self[0]}=${open}` : `return${open}`;
  const aliases = self.slice(1).map((alias) => `,${alias}=${self[0]}`);
  const after = self.length > 0 ? `${close}${aliases.join("")};return ${self[0]}}` : `${close}}`;
  const { line, column } = syntax.position(site.start);
  return { start: site.start, end: site.end, line, column, before, text: editedText(draft, names), after };
}

/** The text with its replacements, each as long as what it replaces and with the same line breaks. */
function editedText({ site, syntax, definitions, blankName }: FunctionDraft, names: readonly string[]): string {
  const replacements = site.edits.map((edit) => {
    const index = definitions.findIndex((definition) => definition.edit === edit);
    return { ...edit, text: "text" in edit.replacement ? edit.replacement.text : (names[index] ?? "") };
  });
  if (blankName && site.declaredName !== undefined) {
    replacements.push({
      start: site.declaredNameAt,
      end: site.declaredNameAt + site.declaredName.length,
      text: "",
      replacement: { text: "" },
    });
    replacements.sort((a, b) => a.start - b.start);
  }
  const source = syntax.script.text;
  let text = "";
  let at = site.start;
  for (const { start, end, text: replacement } of replacements) {
    text += source.slice(at, start) + replacement + source.slice(start + replacement.length, end).replace(/[^\n\r\u2028\u2029]/g, " ");
    at = end;
  }
  return text + source.slice(at, site.end);
}

/** A name for each value that the text needs while it is defined, as long as what it stands for. */
function definitionNames({ site, syntax, definitions }: FunctionDraft, params: readonly Param[]): string[] {
  const used = new Set([...site.usedNames, ...params.map(({ name }) => name)]);
  return definitions.map(({ edit }) => {
    const replaced = syntax.script.text.slice(edit.start, edit.end);
    const name = unusedName(Math.min(replaced.search(/[\n\r\u2028\u2029]|$/), 8), used);
    used.add(name);
    return name;
  });
}

const FIRST = "$_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const REST = "abcdefghijklmnopqrstuvwxyz0123456789";

function unusedName(length: number, used: ReadonlySet<string>): string {
  for (const first of length === 1 ? FIRST : "$_") {
    for (let count = 0; count < (length === 1 ? 1 : 36 ** Math.min(length - 1, 3)); count++) {
      let name = first;
      for (let rest = count; name.length < length; rest = Math.floor(rest / REST.length)) name += REST[rest % REST.length] as string;
      if (!used.has(name)) return name;
    }
  }
  // Every name of that length is taken: a longer one moves the rest of its line.
  return unusedName(length + 1, used);
}

/** A beginning for the unit's own names that no name in it has. */
function freePrefix(plan: UnitPlan): string {
  const names = [...plan.drafts.flatMap(({ site }) => [...site.usedNames]), ...plan.cells.keys()];
  let prefix = "$raia";
  for (let attempt = 0; names.some((name) => name.startsWith(prefix)); attempt++) prefix = `$raia${attempt}`;
  return prefix;
}
