// A port for a server that somebody else starts, or that comes back on it. One that the system gave would be free again
// meanwhile, and any connection of another test might be given it.
import { freePort as look } from "../../src/http/uws/listeners.ts";

/** Below those that systems give to whoever asks for any: 32768 and up on Linux, 49152 elsewhere. */
const FIRST = 10_000;
const COUNT = 20_000;

const given = new Set<number>();

/** One of 127.0.0.1 that nobody uses, another one for each call. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    given.add(port);
    const taken = await look("127.0.0.1", port).then(
      () => false,
      () => true,
    );
    if (!taken) return port;
  }
}

/** For a server that is started again where its clients look for it. */
export const freePorts = async (): Promise<string[]> => [
  ...["--client-port", `${await freePort()}`],
  ...["--api-port", `${await freePort()}`],
];
