// What endpoints answer, as far as pages show it: src/api/endpoints/ has all of it.

interface Connection {
  readonly transport: "websocket" | "polling";
  readonly revision: number;
  readonly address: string;
  readonly since: number;
  readonly topics: readonly string[];
}

export interface Device {
  readonly _id: string;
  readonly uid?: string;
  readonly platform?: string;
  readonly tags?: readonly string[];
  readonly createTime: string;
  readonly updateTime: string;
  readonly type?: string;
  readonly token?: string;
  readonly package_name?: string;
  readonly connected: boolean;
  readonly connections?: readonly Connection[];
  readonly lastSeen?: number;
  readonly tokenHistory?: readonly FormerToken[];
}

export interface FormerToken {
  readonly type: string;
  readonly token: string;
  readonly package_name?: string;
  readonly reason: string;
  readonly at: number;
}

export type JobState = "scheduled" | "deferred" | "running" | "paused" | "cancelled" | "finished";

export interface Job {
  readonly job: number;
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly target: "all" | "tag" | "pushIds" | "uids";
  readonly state: JobState;
  readonly dryRun: boolean;
  readonly rate?: number;
  readonly acceptedAt: number;
  readonly sendAt?: number;
  readonly deferred?: number;
  readonly finishedAt?: number;
  readonly progress: Readonly<
    Record<"seen" | "skipped" | "queued" | "waiting" | "sent" | "accepted" | "failed", number>
  >;
  readonly routes: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
}

/** What a vendor has said today of its day's quota. */
export interface Quota {
  readonly limit: number;
  readonly left: number;
  readonly at: number;
}

export interface Lane {
  readonly provider: string;
  readonly app: string;
  readonly host?: string;
  readonly state: "running" | "paused" | "stopped";
  readonly reason?: string;
  readonly until?: number;
  readonly expiring?: number;
  readonly depth: number;
  readonly oldest?: number;
  readonly inFlight: number;
  readonly rate: number;
  readonly accepted: number;
  readonly failed: number;
  readonly retried: number;
  readonly lastError?: { readonly reason: string; readonly at: number };
  readonly holdsDeletions: boolean;
  readonly certificateExpires?: number;
  readonly quota?: Quota;
  readonly stoppedWays?: readonly { readonly way: string; readonly reason: string; readonly until: number }[];
}

export interface Series {
  readonly step: number;
  readonly from: number;
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

/** A notification as stats/arrival tells of it. */
export interface Notified {
  readonly id: string;
  readonly type?: string;
  readonly notification: string;
  readonly timeStartIso: string;
}

/** One notification to one device. */
export interface Delivery {
  readonly pushId: string;
  readonly uid?: string;
  readonly provider?: string;
  readonly app?: string;
  readonly state: string;
  readonly reason?: string;
  readonly retries: number;
  readonly queuedAt: number;
  readonly sentAt?: number;
  readonly settledAt?: number;
  readonly arrivedAt?: number;
  readonly clickedAt?: number;
}
