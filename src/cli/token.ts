// The command `token`: a client's token, signed with a key of the configuration, for trying.
import { randomUUID } from "node:crypto";
import { type Command, Option } from "commander";
import type { Config } from "../config/index.ts";
import { DURATIONS, milliseconds } from "../core/duration.ts";
import { signToken } from "../login/sign.ts";
import { type Cli, configured, count, ok, wrong } from "./command.ts";

interface Line {
  readonly uid?: string;
  readonly pushId?: string;
  readonly allow?: readonly string[];
  readonly join?: readonly string[];
  readonly ttl: string;
  readonly key?: string;
}

export function addToken(cli: Cli): void {
  const { host } = cli;
  const command = configured(
    cli,
    "token",
    "make a client's token, for trying",
    (row) => row.section === "client.auth" || row.name === "data",
    ({ config }, _given, self: Command) => {
      const problems: string[] = [];
      const token = tokenFor(self.opts<Line>(), config.client.auth, Date.now(), problems);
      if (token === undefined) {
        host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count(problems.length)}\n`);
        return wrong;
      }
      host.out(`${token}\n`);
      return ok;
    },
  );
  const group = "What it says:";
  const several = (flags: string, why: string): Option =>
    new Option(flags, why).argParser((text: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      text,
    ]);
  for (const option of [
    new Option("--uid <uid>", "whose it is (sub)"),
    new Option("--push-id <id>", "the only device that may use it"),
    several("--allow <topic>", "a topic that it permits, * at the end matches any rest; may be repeated"),
    several("--join <topic>", "a topic that it subscribes to; may be repeated"),
    new Option("--ttl <time>", `how long it lasts: ${DURATIONS}`).default("1h"),
    new Option("--key <id>", "the key that signs it (the first of HS256)"),
  ])
    command.addOption(option.helpGroup(group));
  command.addHelpText(
    "after",
    `
It is signed with the secret of one of client.auth.keys: one line, which a client gives as auth.token, as the query token or by
the event authorize. A server signs its own, in its own language: any JWT library does.

Example:
  pushbox token --config pushbox.toml --uid ann --allow 'room:*' --ttl 1h`,
  );
}

function tokenFor(
  { uid, pushId, allow, join, ttl, key: id }: Line,
  { keys, issuer, audience, maxLifetime }: Config["client"]["auth"],
  now: number,
  problems: string[],
): string | undefined {
  if (uid === undefined || uid === "") problems.push("--uid is missing: whose token is it?");
  const lifetime = milliseconds(ttl);
  if (lifetime === undefined || lifetime < 1000) problems.push(`--ttl: ${ttl} is no time; write ${DURATIONS}`);
  else if (lifetime > maxLifetime)
    problems.push(`--ttl: ${ttl} is more than client.auth.max_lifetime, ${maxLifetime} ms`);
  const key = keys.find(({ id: name, alg }) => (id === undefined ? alg === "HS256" : name === id));
  if (key === undefined)
    problems.push(
      id === undefined
        ? "there is no secret to sign with: add [[client.auth.keys]] with alg HS256, and name the file with --config"
        : `--key: none of client.auth.keys has the id ${id}`,
    );
  else if (key.secret === undefined)
    problems.push(`--key: ${id} is a public key, which signs nothing: name one of HS256`);
  if (problems.length > 0 || key?.secret === undefined || lifetime === undefined) return undefined;
  const seconds = Math.floor(now / 1000);
  const own = { pushId, allow, join };
  return signToken(key.id, key.secret, {
    ...(issuer === "" ? {} : { iss: issuer }),
    ...(audience === "" ? {} : { aud: audience }),
    sub: uid,
    iat: seconds,
    exp: seconds + Math.ceil(lifetime / 1000),
    jti: randomUUID(),
    ...(Object.values(own).every((value) => value === undefined) ? {} : { pushbox: own }),
  });
}
