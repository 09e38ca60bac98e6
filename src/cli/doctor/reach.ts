// Whether port 80 of a domain leads to this server, as far as this machine can see: what an authority will ask.
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { get } from "node:http";
import { Challenges, NO_CHALLENGE } from "../../acme/challenges.ts";
import type { Config } from "../../config/index.ts";
import { causeOf } from "../../http/causes.ts";
import { createServer } from "../../http/server.ts";

interface Reached {
  readonly level: "ok" | "warning" | "wrong";
  readonly text: string;
}

const PATIENCE = 5000;
const FROM_OUTSIDE = "from outside it may differ";

/** @param asked the port that is asked, for tests */
export async function reached(
  domain: string,
  { host, port }: Pick<Config["acme"], "host" | "port">,
  asked = 80,
): Promise<Reached> {
  const addresses = await lookup(domain, { all: true }).catch(() => []);
  if (addresses.length === 0)
    return {
      level: "wrong",
      text: `${domain} has no address: it needs an A or AAAA record that leads to this machine`,
    };
  const token = randomBytes(16).toString("base64url");
  const challenges = new Challenges(() => undefined);
  challenges.answer(token, token);
  const server = createServer(
    { host, port, maxBody: 1024, bodyTimeout: PATIENCE, trustedProxies: [] },
    challenges.site,
  );
  // In use: by the server that runs, it is hoped, which knows no such challenge and says so in its own words.
  const expected = await server.listen().then(
    () => token,
    () => NO_CHALLENGE,
  );
  const url = `http://${domain}${asked === 80 ? "" : `:${asked}`}/.well-known/acme-challenge/${token}`;
  try {
    const answer = await textAt(url);
    const place = addresses.map(({ address }) => address).join(", ");
    return answer === expected
      ? { level: "ok", text: `port ${asked} of ${domain} (${place}) leads here; ${FROM_OUTSIDE}` }
      : { level: "wrong", text: `something else answers on port ${asked} of ${domain} (${place})` };
  } catch (error) {
    // A router may not lead its own network's calls back in.
    return {
      level: "warning",
      text: `port ${asked} of ${domain} is not reached from here: ${causeOf(error)}; ${FROM_OUTSIDE}`,
    };
  } finally {
    await server.close();
  }
}

const textAt = (url: string): Promise<string> =>
  new Promise((done, fail) => {
    const request = get(url, { signal: AbortSignal.timeout(PATIENCE) }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (text.length > 4096) request.destroy();
      });
      response.on("end", () => done(text)).on("error", fail);
    });
    request.on("error", fail);
  });
