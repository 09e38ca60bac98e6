// Placeholder: joins nothing yet, answers /healthz.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";

export interface App {
  readonly clientUrl: string;
  readonly apiUrl: string;
  reload(config: Config): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when the server cannot go on. */
  readonly failed: Promise<Error>;
}

const listen = (host: string, port: number): Promise<Server> =>
  new Promise((done, fail) => {
    const server = createServer((_request, response) => response.end("ok"));
    server.once("error", fail);
    server.listen(port, host, () => done(server));
  });

const url = (server: Server): string => {
  const { address, port } = server.address() as AddressInfo;
  return `http://${address}:${port}`;
};

export async function startApp(config: Config, log: Log): Promise<App> {
  const client = await listen(config.client.host, config.client.port);
  const api = await listen(config.api.host, config.api.port);
  log.debug("placeholder");
  return {
    clientUrl: url(client),
    apiUrl: url(api),
    reload: async () => {},
    stop: async () => {
      client.close();
      api.close();
    },
    failed: new Promise(() => {}),
  };
}
