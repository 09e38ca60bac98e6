// Makes the call of a command that sends, waits where it is asked to, and tells how it went.
import { printable } from "../../core/printable.ts";
import { failed, ok, type Process } from "../command.ts";
import type { Call } from "./call.ts";
import { type Answer, type Server, ServerTrouble } from "./server.ts";
import { devicesText, outcomeText, reachedText, succeeded, wait } from "./wait.ts";

/** Returns the exit code. */
export async function carryOut(
  { kind, body }: Call,
  server: Server,
  seconds: number | undefined,
  raw: boolean,
  { out, err }: Process,
): Promise<number> {
  /** The last answer is the one that is printed raw; what is told on the way is for people. */
  const finish = (answer: Answer, text: string, code: number): number => {
    if (raw) out(`${answer.text}\n`);
    if (!raw || code !== ok) (code === ok ? out : err)(`${text}\n`);
    return code;
  };
  try {
    const answer = await server.post(kind, body);
    for (const warning of listOf(answer.body["warnings"])) err(`warning: ${printable(warning)}\n`);
    if (!answer.well) return finish(answer, `refused: ${printable(answer.message)}`, failed);
    if (kind === "push") return finish(answer, sentText(answer.body), ok);
    const id = String(answer.body["id"]);
    const accepted = `accepted: ${id}`;
    if (seconds === undefined) return finish(answer, accepted, ok);
    const progress = raw ? err : out;
    progress(`${accepted}\n`);
    const end = await wait(server, id, seconds, Number(body["timeToLive"] ?? 0), (line) => progress(`${line}\n`));
    if (end.job === undefined) return finish(end.answer, end.text, failed);
    const devices = raw
      ? ""
      : kind === "reach"
        ? await reachedText(server, id)
        : await devicesText(server, id, end.job);
    return finish(end.answer, outcomeText(end.job) + devices, succeeded(end.job) ? ok : failed);
  } catch (error) {
    if (!(error instanceof ServerTrouble)) throw error;
    err(`${printable(error.message)}\n`);
    return failed;
  }
}

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

/** An older server tells neither. */
function sentText({ id, online }: Answer["body"]): string {
  const name = id === undefined ? "" : `: ${id}`;
  return `sent${name}${online === undefined ? "" : `, ${online === 1 ? "1 connection" : `${online} connections`} now`}`;
}
