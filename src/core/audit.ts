// Port: who did what to this server, and what came of it. Kept `storage.audit_days`.

export interface AuditEntry {
  /** Epoch milliseconds. */
  readonly time: number;
  /** The name of the caller's key; absent: no keys are configured, or it had none. */
  readonly who?: string;
  readonly address: string;
  /** "/job/cancel" */
  readonly action: string;
  /** What was asked for, shortened: JSON of an object. Never a secret, nor what a message says. */
  readonly what: string;
  /** Of the answer, and what it says is wrong. */
  readonly status: number;
  readonly message?: string;
  readonly requestId: string;
}

export interface AuditQuery {
  readonly who?: string;
  readonly action?: string;
  /** Both included. */
  readonly from?: number;
  readonly to?: number;
  /** Those before this one: the `entry` of the last one listed. */
  readonly before?: number;
}

interface Audited extends AuditEntry {
  /** Rises with each. */
  readonly entry: number;
}

/** Entries that are stored in one step. */
export const AUDITED_AT_ONCE = 100;

export interface AuditLog {
  /** All of them or, when it rejects, none. @param entries few enough for one step of the store, `AUDITED_AT_ONCE` */
  add(entries: readonly AuditEntry[]): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery, limit: number): Promise<readonly Audited[]>;
}
