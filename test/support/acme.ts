// An authority as far as a renewal needs one: it believes every signature and every domain, and says what a test wants of renewals.
import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Test } from "tap";
import { derValues } from "../../src/core/der.ts";
import { createAuthority } from "../../src/lab/authority.ts";

interface Advised {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface FakeAcme {
  readonly directory: string;
  /** Of who signed its own certificate. */
  readonly caFile: string;
  /** What each order said that it replaces, those that were refused too. */
  readonly ordered: (string | undefined)[];
  /** The names of certificates that advice was asked for. */
  readonly asked: string[];
  /** Absent: its directory has no place for advice. */
  advise: ((id: string) => Advised) | undefined;
  /** An order that names what it replaces is refused with this kind of error. */
  refuses: string | undefined;
  /** How long what it issues is valid, from `now` on. */
  lifetime: number;
}

interface Placed {
  csr?: Buffer;
}

/** @param now by which what it issues begins to be valid */
export async function startAcme(t: Test, now: () => number): Promise<FakeAcme> {
  const lab = createAuthority(Date.now());
  const caFile = join(t.testdir(), "ca.pem");
  writeFileSync(caFile, lab.ca);
  const { cert, key } = lab.server(["127.0.0.1"]);
  const orders: Placed[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    void answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const fake: FakeAcme = {
    directory: `${base}/directory`,
    caFile,
    ordered: [],
    asked: [],
    advise: undefined,
    refuses: undefined,
    lifetime: 90 * 86_400_000,
  };

  function view(number: number): object {
    const issued = orders[number]?.csr === undefined ? {} : { certificate: `${base}/certificate/${number}` };
    return {
      status: "certificate" in issued ? "valid" : "ready",
      authorizations: [],
      finalize: `${base}/finalize/${number}`,
      ...issued,
    };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what = "", which = ""] = (request.url ?? "").split("/");
    const say = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
      response.writeHead(status, { "replay-nonce": "nonce", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    const payload = await payloadOf(request);
    const number = Number(which);
    switch (what) {
      case "directory": {
        const places = { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` };
        return say(200, fake.advise === undefined ? places : { ...places, renewalInfo: `${base}/renewal` });
      }
      case "nonce":
        return say(200, "");
      case "account":
        return say(201, {}, { location: `${base}/account/1` });
      case "order": {
        if (which !== "") return say(200, view(number));
        const replaces = payload["replaces"] as string | undefined;
        fake.ordered.push(replaces);
        if (replaces !== undefined && fake.refuses !== undefined)
          return say(409, { type: `urn:ietf:params:acme:error:${fake.refuses}`, detail: "not that one" });
        const placed = orders.push({}) - 1;
        return say(201, view(placed), { location: `${base}/order/${placed}` });
      }
      case "finalize":
        orders[number]!.csr = Buffer.from(String(payload["csr"]), "base64url");
        return say(200, view(number));
      case "certificate": {
        const request = derValues(derValues(orders[number]!.csr!)[0]!.content)[0]!;
        const spki = derValues(request.content)[2]!.whole;
        const holder = createPublicKey({ key: spki, format: "der", type: "spki" });
        return say(200, lab.issued("push.test", holder, now(), now() + fake.lifetime));
      }
      case "renewal": {
        fake.asked.push(which);
        const { status = 200, headers, body } = fake.advise?.(which) ?? { status: 404 };
        return say(status, body ?? {}, headers);
      }
      default:
        return say(404, {});
    }
  }
  return fake;
}

async function payloadOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = "";
  for await (const piece of request) text += String(piece);
  if (text === "") return {};
  const { payload = "" } = JSON.parse(text) as { payload?: string };
  return payload === "" ? {} : (JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>);
}
