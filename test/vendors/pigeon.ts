// A vendor that nobody knows, and its fake: what a further vendor takes, apart from one line in the list of each.
import { z } from "zod";
import type { FakeVendor, Shown } from "../../src/lab/fake.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { check, word } from "../../src/vendors/entry.ts";

interface PigeonApp extends CommonApp {
  readonly secret: string;
}

const shape = z
  .object({ package_name: word, secret: word, base_url: word })
  .transform(({ package_name: app, secret, base_url: baseUrl }) => ({ app, account: app, secret, baseUrl }));

export const pigeon: Dialect<PigeonApp> = {
  name: "pigeon",
  tokenTypes: ["loft"],
  statistics: "bird",
  tellsNoArrival: true,
  alsoConnected: true,
  noise: / /g,
  typeAfterDeath: "noLoft",
  title: { en: "Pigeon Post", zh: "信鸽" },
  keys: [
    { name: "package_name", why: { en: "The app.", zh: "应用。" }, example: "com.example.app" },
    { name: "secret", why: { en: "Its secret.", zh: "对应的密钥。" }, example: "...", secret: true },
    { name: "base_url", why: { en: "Where they fly from.", zh: "放飞的地方。" }, example: "https://pigeons.example" },
  ],
  batch: 1,
  transport: { http2: false, connections: 1, streams: 1, timeout: 5000, gate: false },
  parse: (entry) => check("pigeon", shape, entry),
  credential: async (app) => ({ value: app.secret, expires: Number.POSITIVE_INFINITY }),
  encode: (app, note, to, credential) => ({
    method: "POST",
    url: `${app.baseUrl}/fly`,
    headers: { authorization: credential },
    body: JSON.stringify({ to: to[0]!.token, title: note.content.android.title }),
  }),
  decode: (_app, { status }, to) =>
    to.map(() =>
      status === 200
        ? { kind: "accepted", receipt: "feather-1" }
        : { kind: status === 404 ? "gone" : "retry", reason: `${status}` },
    ),
  receiptAnswer: { coo: true },
  receipts: (_app, { body }) => [{ receipt: body, event: "clicked" }],
};

export function fakePigeon(): FakeVendor {
  const shown: Shown[] = [];
  const tokens = new Map<string, string>();
  return {
    name: "pigeon",
    http2: false,
    config: (baseUrl) => ({ package_name: "com.example.lab", secret: "crumbs", base_url: baseUrl }),
    handle({ headers, body }) {
      const { to, title } = JSON.parse(body.toString()) as { readonly to: string; readonly title: string };
      if (headers["authorization"] !== "crumbs") return { status: 401 };
      if (tokens.get(to) === "dead") return { status: 404 };
      shown.push({ vendor: "pigeon", token: to, title });
      return { status: 200 };
    },
    shown,
    tokens,
    fail: () => undefined,
  };
}
