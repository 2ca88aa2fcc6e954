/** What users install: the engine under its short name. */
export * from "@raia/core";
