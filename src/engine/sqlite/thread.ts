// Placeholder of the storage thread.
export function runThread(): void {}
