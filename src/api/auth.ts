// Who may call: named keys, and a narrower list for notifications that reach everybody.
import { hash, timingSafeEqual } from "node:crypto";
import { PushError } from "../core/errors.ts";
import type { Head } from "../http/message.ts";
import { addressList } from "../http/uws/address.ts";

export interface ApiKey {
  /** Shown in logs and named in rules; the key itself never is. */
  readonly name: string;
  readonly key: string;
}

/** Callers allowed to notify everybody or a tag. Both lists empty: every caller is. */
export interface BroadcastRule {
  /** Names of keys. */
  readonly keys: readonly string[];
  /** Addresses and networks. */
  readonly addresses: readonly string[];
}

export interface Caller {
  /** Undefined when no key is asked for; of a user of the console, what the audit log calls it. */
  readonly keyName: string | undefined;
  /** It may reach everybody or a tag whatever the rule says: that was judged before. */
  readonly broadcasts?: true;
  readonly address: string;
  /** The header Idempotency-Key; empty when absent. */
  readonly repeatKey: string;
  readonly requestId: string;
  /** The header Last-Event-ID; empty when absent. */
  readonly lastEventId: string;
}

export interface Auth {
  /** There are no keys: everybody who reaches the API may call. */
  readonly open: boolean;
  /** The name of the caller's key; undefined when no keys are configured. Throws `PushError("denied")` with a hint. */
  admit(head: Head): string | undefined;
  /** Throws `PushError("denied")` with a hint. */
  admitBroadcast(caller: Pick<Caller, "keyName" | "address" | "broadcasts">): void;
  /** Throws, and changes nothing, when no key is left. */
  set(keys: readonly ApiKey[], rule: BroadcastRule): void;
}

const digest = (key: string): Buffer => hash("sha256", key, "buffer");

/** @param insecure `set` may take the last key away */
export function createAuth(initial: readonly ApiKey[], insecure: boolean, initialRule: BroadcastRule): Auth {
  const broadcast = ({ keys, addresses }: BroadcastRule) => ({
    keys: new Set(keys),
    addresses: addressList(addresses),
  });
  let known = initial.map(({ name, key }) => ({ name, digest: digest(key) }));
  let broadcasters = broadcast(initialRule);

  return {
    get open() {
      return known.length === 0;
    },

    admit(head) {
      if (known.length === 0) return undefined;
      const presented = presentedKey(head);
      if (presented === "") throw denied(head.header("authorization") === "" ? NO_KEY : NO_BEARER);
      const given = digest(presented);
      let name: string | undefined;
      // Digests have one length, and every key is compared: the time taken says nothing about any of them.
      for (const key of known) if (timingSafeEqual(key.digest, given)) name = key.name;
      if (name === undefined) throw denied(WRONG_KEY);
      return name;
    },

    admitBroadcast({ keyName, address, broadcasts }) {
      if (broadcasts === true) return;
      const { keys, addresses } = broadcasters;
      if (keys.size === 0 && addresses.size === 0) return;
      if (keyName !== undefined && keys.has(keyName)) return;
      if (!addresses.has(address)) throw denied(NO_BROADCAST);
    },

    set(keys, rule) {
      // A reload with a mistake in the file must not open a server that asked for keys until now.
      if (keys.length === 0 && known.length > 0 && !insecure) {
        throw new Error("the new configuration has no API keys; the previous ones stay in force");
      }
      broadcasters = broadcast(rule);
      known = keys.map(({ name, key }) => ({ name, digest: digest(key) }));
    },
  };
}

function presentedKey(head: Head): string {
  const authorization = head.header("authorization");
  if (authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === "bearer ") {
    return authorization.slice(7).trim();
  }
  return head.header("x-api-key");
}

/** The message is what callers have known since the first server of this kind. @param hint what they can do; no part of a key */
const denied = (hint: string): PushError => new PushError("denied", "apiAuth check fail", { hint });
const NO_KEY = "no key was sent: send one of api.keys as the header Authorization: Bearer KEY, or as X-Api-Key: KEY";
const NO_BEARER = "the header Authorization has to be: Bearer KEY, with one of api.keys; or send X-Api-Key: KEY";
const WRONG_KEY = "the key that was sent, by Authorization or X-Api-Key, is none of api.keys";
const NO_BROADCAST =
  "this caller may not reach everybody or a tag: neither its key is in api.broadcast_keys nor its address in api.broadcast_addresses";
