// `[hooks.ask]`: what the business server is asked before something is done for a client.
import { z } from "zod";
import { QUESTIONS, type Question } from "../core/ask.ts";
import { EXPECTED_SECRET, secretBytes } from "../core/secret.ts";
import { wrongUrl } from "./hooks.ts";
import { integer, list, milliseconds, pairs, type Setting, text, yesNo } from "./setting.ts";

type OnFailure = Readonly<Record<Question, "allow" | "refuse">>;

const ON_FAILURE: OnFailure = { connect: "allow", bind_uid: "refuse", subscribe: "refuse", packet: "refuse" };

function secrets(why: string): Setting<readonly string[]> {
  const one = z.string({ error: EXPECTED_SECRET }).refine((given) => secretBytes(given) !== undefined, {
    error: EXPECTED_SECRET,
  });
  return {
    schema: z.preprocess(
      (given) => (typeof given === "string" ? [given].filter((each) => each !== "") : given),
      z.array(one).max(10).readonly(),
    ),
    fallback: [],
    why,
    expected: `${EXPECTED_SECRET}; or a list of those, while they are exchanged`,
    argument: "<whsec_...>",
    fromText: (texts) => texts.flatMap((given) => given.split(",")).map((part) => part.trim()),
    list: true,
    secret: true,
    live: true,
  };
}

function onFailure(why: string): Setting<OnFailure> {
  const word = '"allow" or "refuse" for each question, as in { connect = "allow", packet = "refuse" }';
  const choice = z.enum(["allow", "refuse"], { error: word }).optional();
  return {
    schema: z
      .strictObject({ connect: choice, bind_uid: choice, subscribe: choice, packet: choice })
      .transform((given) => ({ ...ON_FAILURE, ...given }) as OnFailure),
    fallback: ON_FAILURE,
    why,
    expected: word,
    argument: "<question=allow|refuse>",
    fromText: pairs,
    list: true,
    live: true,
  };
}

const live = { live: true } as const;

export const askSettings = {
  url: text("", /^/, "an address", "<url>", "Where questions go; empty: nobody is asked.", live),
  secret: secrets("What questions are signed with (Standard Webhooks); several while they are exchanged."),
  questions: list(
    [...QUESTIONS],
    {
      test: (name) => QUESTIONS.some((known) => known === name),
      expected: `one of ${QUESTIONS.map((name) => JSON.stringify(name)).join(", ")}`,
    },
    "<question>",
    "What is asked: before a client comes in, is bound to a uid, subscribes to a topic of subscribe_topics, or is answered its packetProxy.",
    live,
  ),
  subscribe_topics: list(
    [],
    { test: (prefix) => prefix !== "", expected: 'the beginning of a topic, such as "room:"' },
    "<prefix>",
    "Topics, by prefix, that are asked about.",
    live,
  ),
  timeout: milliseconds(2000, 100, 30_000, "Time for an answer; without one on_failure holds.", live),
  on_failure: onFailure("What is done without an answer."),
  headers: list(
    [],
    { test: (name) => /^[a-z0-9-]{1,64}$/.test(name), expected: 'a header in lower case, such as "cookie"' },
    "<header>",
    "Headers of a client's handshake that the question connect tells.",
    live,
  ),
  max_at_once: integer(100, 1, 10_000, "Questions at once; others wait for their turn.", live),
  remember: milliseconds(
    60_000,
    0,
    60_000,
    "Time for which a yes to bind_uid or subscribe is remembered; 0: it is not.",
    live,
  ),
  ca_file: text(
    "",
    /^[^\0]*$/,
    "the path of a PEM file",
    "<file>",
    "Certificates (PEM) to trust besides the usual ones.",
    {
      live: true,
      beside: true,
    },
  ),
  allow_private: yesNo(false, "A name in url may lead to an address of your own network.", live),
};

interface AskConfig {
  readonly url: string;
  readonly secret: readonly string[];
  readonly questions: readonly string[];
  readonly subscribeTopics: readonly string[];
  readonly allowPrivate: boolean;
}

/** What is wrong with the section as a whole. */
export function askProblems({ url, secret, questions, subscribeTopics, allowPrivate }: AskConfig): readonly string[] {
  if (url === "") return [];
  const problems: string[] = [];
  if (secret.length === 0) problems.push(`hooks.ask.secret: is missing; write ${EXPECTED_SECRET}`);
  const wrong = wrongUrl(url, allowPrivate);
  if (wrong !== undefined) problems.push(`hooks.ask.url: does not fit; write ${wrong}`);
  if (questions.includes("subscribe") && subscribeTopics.length === 0 && questions.length === 1)
    problems.push("hooks.ask.subscribe_topics: is empty, so nothing is asked; list the beginnings of topics");
  return problems;
}
