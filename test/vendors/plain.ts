// A vendor and a dialect of which only the network is of interest.
import type { Test } from "tap";
import type { Outcome } from "../../src/core/vendor.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import { type LabServer, type ServeOptions, serve } from "../../src/lab/server.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { CommonApp, Dialect, Transport } from "../../src/vendors/dialect.ts";
import type { Network } from "../../src/vendors/line.ts";
import { authority, NOW } from "./conformance.ts";

export const kinds = (outcomes: readonly Outcome[]) => outcomes.map(({ kind }) => kind);
export const recipients = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({ token: `t${n + from}`, ref: `r${n + from}` }));

/** A dialect of which only the network is of interest: any 200 is success. */
export const plain = (transport: Partial<Transport> = {}): Dialect<CommonApp> => ({
  name: "plain",
  tokenTypes: [],
  batch: 1,
  title: { en: "Plain", zh: "朴素" },
  keys: [],
  transport: { http2: true, connections: 1, streams: 100, timeout: 20_000, gate: false, ...transport },
  parse: () => ({ app: "", account: "", baseUrl: "" }),
  credential: async () => ({ value: "", expires: Number.POSITIVE_INFINITY }),
  encode: (app, _note, to) => ({
    method: "POST",
    url: `${app.baseUrl}/${to[0]!.token}?app=${app.app}`,
    headers: {},
    body: "{}",
  }),
  decode: (_app, { status }, to) =>
    to.map(() => (status === 200 ? { kind: "accepted" } : { kind: "retry", reason: "status" })),
});

export const silent: FakeVendor = {
  name: "plain",
  http2: true,
  config: () => ({}),
  handle: () => ({ status: 200 }),
  shown: [],
  tokens: new Map(),
  fail: () => undefined,
};

export const certificate = authority.server(["127.0.0.1"]);

export async function serving(
  test: Test,
  fake: FakeVendor = silent,
  options: Partial<ServeOptions> = {},
): Promise<LabServer> {
  const server = await serve(fake, { certificate, now: () => NOW, ...options });
  test.teardown(() => server.close());
  return server;
}

export function providing(
  test: Test,
  dialect: Dialect<CommonApp>,
  apps: readonly CommonApp[],
  network: Network = { ca: authority.ca },
) {
  const own = createVendor(dialect, apps, network);
  test.teardown(() => own.close());
  return own;
}

export const appAt = (baseUrl: string, app = "a", account = "one"): CommonApp => ({ app, account, baseUrl });
