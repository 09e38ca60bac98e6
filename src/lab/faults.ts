// How a vendor of the lab can be made to misbehave.
import type { Fault } from "./server.ts";

/** What `--fault` knows: the network's misbehaviour, or the vendor's own answer, for as long as the lab runs. */
export const FAULTS: Readonly<
  Record<string, { readonly why: string; readonly network?: Fault; readonly own?: string }>
> = {
  throttle: { why: "too many requests", own: "throttle" },
  deny: { why: "the credentials are refused", own: "denied" },
  dead: { why: "the token is not valid any more" },
  busy: { why: "HTTP 503", network: { kind: "reply", reply: { status: 503, body: "<html>busy</html>" } } },
  garbage: {
    why: "another server's page",
    network: { kind: "reply", reply: { status: 200, body: "<html>hello</html>" } },
  },
  slow: { why: "answers after 5 s", network: { kind: "slow", milliseconds: 5000 } },
  hang: { why: "no answer", network: { kind: "never" } },
  reset: { why: "the request is cut off", network: { kind: "reset", code: 2 } },
  cut: { why: "accepts, and the answer is lost with the connection", network: { kind: "cut" } },
  goaway: { why: "answers and closes the connection", network: { kind: "goaway", code: 0, reason: "Shutdown" } },
};

/** A line of help for each. */
export const faultHelp: string = Object.entries(FAULTS)
  .map(([name, { why }]) => `  ${name.padEnd(10)} ${why}`)
  .join("\n");
