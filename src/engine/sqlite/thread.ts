// Placeholder of the storage thread.
export {};
