import { test } from "tap";
import { conflict, once } from "../../src/core/once.ts";
import type { Calls, Once } from "../../src/core/outbox.ts";

/** The port in memory; `trouble` fails the method of that name. */
class MemoryCalls implements Calls {
  readonly log: string[] = [];
  readonly known = new Map<string, { readonly digest: string; answer?: string }>();
  trouble: "begin" | "finish" | "abandon" | undefined;

  async begin({ key, digest }: Once): Promise<string | undefined> {
    this.#did("begin", key);
    const before = this.known.get(key);
    if (before !== undefined && before.digest !== digest) throw conflict();
    if (before === undefined) this.known.set(key, { digest });
    return before?.answer;
  }

  async finish(key: string, answer: string): Promise<void> {
    this.#did("finish", key);
    this.known.get(key)!.answer = answer;
  }

  async abandon(key: string): Promise<void> {
    this.#did("abandon", key);
    this.known.delete(key);
  }

  #did(method: "begin" | "finish" | "abandon", key: string): void {
    this.log.push(`${method} ${key}`);
    if (this.trouble === method) throw new Error(`no ${method}`);
  }
}

const call: Once = { key: "k", digest: "d" };

function counting(): { act: () => Promise<string>; acts: number } {
  const counter = {
    acts: 0,
    act: async () => `answer ${++counter.acts}`,
  };
  return counter;
}

test("a finished call answers again without acting", async (t) => {
  const calls = new MemoryCalls();
  const counter = counting();
  t.equal(await once(calls, call, 1, counter.act), "answer 1");
  t.equal(await once(calls, call, 2, counter.act), "answer 1");
  t.equal(counter.acts, 1);
  t.same(calls.log, ["begin k", "finish k", "begin k"]);
  t.equal(await once(calls, { ...call, key: "other" }, 2, counter.act), "answer 2", "another key is another call");
});

test("a call with the same key at the same moment waits for the first and gets its answer", async (t) => {
  const calls = new MemoryCalls();
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = once(calls, call, 1, () => promise);
  const second = once(calls, call, 1, async () => t.fail("it acts") as never);
  const settled: string[] = [];
  for (const [name, answer] of Object.entries({ first, second })) void answer.then(() => settled.push(name));
  await new Promise(setImmediate);
  t.same(settled, []);
  resolve("done");
  t.same(await Promise.all([first, second]), ["done", "done"]);
  t.same(calls.log, ["begin k", "finish k"]);
});

test("the same key for something else is a conflict, whether the first is running or finished", async (t) => {
  const calls = new MemoryCalls();
  const other = { ...call, digest: "another" };
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = once(calls, call, 1, () => promise);
  const never = async () => t.fail("it acts") as never;
  await t.rejects(once(calls, other, 1, never), { code: "conflict", message: /idempotencyKey .* new key/ });
  resolve("done");
  await first;
  await t.rejects(once(calls, other, 1, never), { code: "conflict" });
  t.equal(await once(calls, call, 1, never), "done", "the key still belongs to the first");
});

test("a failure is told to all who waited, and a repetition acts again", async (t) => {
  const calls = new MemoryCalls();
  const failing = async () => {
    throw new Error("disk full");
  };
  const both = [once(calls, call, 1, failing), once(calls, call, 1, failing)];
  for (const one of both) await t.rejects(one, { message: "disk full" });
  t.same(calls.log, ["begin k", "abandon k"]);
  t.equal(await once(calls, call, 1, counting().act), "answer 1");
});

test("a failure that cannot be noted keeps its own reason, and the repetition acts", async (t) => {
  const calls = new MemoryCalls();
  calls.trouble = "abandon";
  const failing = async () => {
    throw new Error("disk full");
  };
  await t.rejects(once(calls, call, 1, failing), { message: "disk full" });
  calls.trouble = undefined;
  t.equal(await once(calls, call, 1, counting().act), "answer 1");
});

test("what has acted is answered with success although that could not be noted", async (t) => {
  const calls = new MemoryCalls();
  calls.trouble = "finish";
  t.equal(await once(calls, call, 1, counting().act), "answer 1");
});

test("nothing acts when the beginning cannot be stored", async (t) => {
  const calls = new MemoryCalls();
  calls.trouble = "begin";
  const counter = counting();
  await t.rejects(once(calls, call, 1, counter.act), { message: "no begin" });
  t.equal(counter.acts, 0);
  calls.trouble = undefined;
  t.equal(await once(calls, call, 1, counter.act), "answer 1");
});

test("two stores do not share their keys", async (t) => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = once(new MemoryCalls(), call, 1, () => promise);
  t.equal(await once(new MemoryCalls(), call, 1, counting().act), "answer 1");
  resolve("done");
  t.equal(await first, "done");
});
