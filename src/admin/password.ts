// Passwords: what is asked of one, and how it is stored. scrypt runs in Node's pool of threads, so the loop goes on meanwhile.
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { HttpError } from "../http/message.ts";

const SHORTEST = 10;
const LONGEST = 1000;

interface Cost {
  readonly log2: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and a quarter of a second of one core for each guess. */
const COST: Cost = { log2: 15, r: 8, p: 3 };
const SALT = 16;
const LENGTH = 32;

/** The pool has four threads, and files and names are looked up there too. */
const AT_ONCE = 2;
const MOST_WAITING = 32;

/** Completes "the password ...". */
export function passwordFault(password: string, name: string): string | undefined {
  if (password.length < SHORTEST) return `needs ${SHORTEST} characters or more`;
  if (password.length > LONGEST) return `has more than ${LONGEST} characters`;
  if (password.toLowerCase() === name.toLowerCase()) return "is the name";
  return new Set(password).size < 4 ? "has fewer than four different characters" : undefined;
}

let running = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, { log2, r, p }: Cost): Promise<Buffer> {
  if (running >= AT_ONCE) {
    if (waiting.length >= MOST_WAITING) throw new HttpError(503, "too many logins at once; try again later");
    await new Promise<void>((go) => waiting.push(go));
  } else running++;
  try {
    return await new Promise((done, failed) => {
      const options = { N: 2 ** log2, r, p, maxmem: 128 * r * (2 ** log2 + p + 2) };
      // One text however it was typed: keyboards differ in how they put accents together.
      scrypt(password.normalize("NFKC"), salt, LENGTH, options, (error, key) =>
        error === null ? done(key) : failed(error),
      );
    });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

/** As it is stored: `scrypt:15:8:3:<salt>:<hash>`, base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT);
  const key = await derive(password, salt, COST);
  return ["scrypt", COST.log2, COST.r, COST.p, salt.toString("base64url"), key.toString("base64url")].join(":");
}

/** @param stored undefined: there is no such user, which takes as long to find out. */
export async function isPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [, log2, r, p, salt = "", hash = ""] = (stored ?? NOBODY).split(":");
  const key = await derive(password, Buffer.from(salt, "base64url"), {
    log2: Number(log2),
    r: Number(r),
    p: Number(p),
  });
  const expected = Buffer.from(hash, "base64url");
  return key.length === expected.length && timingSafeEqual(key, expected) && stored !== undefined;
}

const NOBODY = `scrypt:${COST.log2}:${COST.r}:${COST.p}:${"A".repeat(22)}:${"A".repeat(43)}`;
