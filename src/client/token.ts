// The token that a client shows at the server's door: a text, or a function that gets a new one in time.
import type { Options } from "./api.ts";
import type { Environment } from "./environment.ts";

/** Milliseconds for the app's function to answer. */
const ANSWERS_WITHIN = 20_000;
/** Of its life, at which a new one is asked for: so much, less up to a tenth, so that not all clients ask at once. */
const RENEW_AT = 0.9;
const SPREAD = 0.1;

export interface Tokens {
  /** Whether a new one can be had. */
  readonly renewable: boolean;
  /** One that may be shown now. */
  get(): Promise<string | undefined>;
  /** Whether most of its life is over. */
  due(): boolean;
  /** It was refused, or will be soon: the next one is a new one. */
  spent(): void;
  /** Nobody waits for the function any more. */
  leave(): void;
}

/** `get` rejects with what the app's function throws, or when that takes too long. */
export function tokens(source: Options["token"], { now, random, after }: Environment): Tokens {
  let current: string | undefined;
  let renewAt = 0;
  const waits = new Set<() => void>();

  function ask(from: () => string | Promise<string>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancelTimer = after(ANSWERS_WITHIN, () => reject("the function has not answered"));
      const cancel = (): void => {
        cancelTimer();
        waits.delete(leave);
      };
      const leave = (): void => {
        cancel();
        reject("closed");
      };
      waits.add(leave);
      new Promise<string>((begin) => begin(from()))
        .then((token) => {
          // Too late it is there for the next try.
          current = token;
          const life = lifeOf(token);
          renewAt = life > 0 ? now() + life * (RENEW_AT - SPREAD * random()) : 0;
          resolve();
        })
        .catch(reject)
        .then(cancel);
    });
  }

  return {
    renewable: typeof source === "function",
    async get() {
      if (typeof source !== "function") return source;
      if (current === undefined || now() >= renewAt) await ask(source);
      return current;
    },
    due: () => current !== undefined && renewAt > 0 && now() >= renewAt,
    spent() {
      renewAt = 0;
    },
    leave() {
      for (const leave of waits) leave();
    },
  };
}

/** Milliseconds, as if it had been made now: a device's clock may be wrong. Of what is no JWT with both times, none. */
function lifeOf(token: string): number {
  try {
    const text = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const { exp, iat } = JSON.parse(atob(text)) as { exp: number; iat: number };
    return 1000 * (exp - iat) || 0;
  } catch {
    return 0;
  }
}
