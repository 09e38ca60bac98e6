// Whether this server should be given work: asked by load balancers and by Kubernetes, without a key, so it tells no paths.
import type { LaneStatus } from "../core/lane.ts";

export interface ReadinessOptions {
  /** Writes something. Rejects while the store cannot. */
  readonly probe: () => Promise<void>;
  readonly lanes: () => Promise<readonly LaneStatus[]>;
  /** Why clients of an encrypted port are refused. */
  readonly outages: () => readonly string[];
  /** Whether the server has begun to end. */
  readonly stopping: () => boolean;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

/** Whoever asks more often is told the same: asking costs a commit. */
const HOLDS_FOR = 1000;
/** A store that takes longer is no use to callers either. */
const PATIENCE = 5000;

const UNWRITABLE = "the storage cannot be written";
const SILENT = `the storage has not answered for ${PATIENCE / 1000} s`;
const STOPPING = "the server is stopping";
const ALL_STOPPED = "every vendor refuses the credentials of this server";

/** Resolves with the reasons why not; none: it is ready. */
export function createReadiness({
  probe,
  lanes,
  outages,
  stopping,
  elapsed,
}: ReadinessOptions): () => Promise<readonly string[]> {
  let asked: Promise<readonly string[]> | undefined;
  let until = 0;

  async function storage(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(SILENT), PATIENCE);
    });
    const written = probe().then(
      () => undefined,
      () => UNWRITABLE,
    );
    const found = await Promise.race([written, late]);
    clearTimeout(timer);
    return found;
  }

  async function look(): Promise<readonly string[]> {
    const trouble = await storage();
    if (trouble !== undefined) return [trouble];
    const all = await lanes().catch(() => []);
    const allStopped = all.length > 0 && all.every(({ state }) => state === "stopped");
    return [...(allStopped ? [ALL_STOPPED] : []), ...outages()];
  }

  return async () => {
    if (stopping()) return [STOPPING];
    const now = elapsed();
    if (asked === undefined || now >= until) {
      asked = look();
      until = Number.POSITIVE_INFINITY;
      void asked.then(() => {
        until = elapsed() + HOLDS_FOR;
      });
    }
    return asked;
  };
}
