export const quietly: readonly string[];
export function npmEnvironment(nodeFolder: string): NodeJS.ProcessEnv;
