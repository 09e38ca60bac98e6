import t from "tap";
import { shared } from "../../src/cli/serve/run.ts";
import { readConfig } from "../../src/config/index.ts";

t.test("D10: by default one address may have three quarters of the connections that are possible", async (t) => {
  const reading = readConfig({ env: {}, flags: new Map() });
  if (reading.problems !== undefined) throw new Error("the defaults have problems");
  const { config } = reading;
  const possible = (maxConnections: number, chosen: readonly string[] = []) =>
    shared({ ...config, client: { ...config.client, maxConnections } }, new Set(chosen)).client
      .maxConnectionsPerAddress;
  t.equal(possible(1_000_000), 20_000);
  t.equal(possible(20_000), 15_000);
  t.equal(possible(1), 1);
  t.equal(possible(20_000, ["client.max_connections_per_address"]), 20_000, "what was chosen holds");
});
