// What every engine must do with revocations of clients' tokens.
import type { Revocation } from "../../src/core/login.ts";
import { type Define, T } from "./steps.ts";

const user = (name: string, before: number, until = T + 1000): Revocation => ({ kind: "uid", name, before, until });
const token = (name: string, until = T + 1000): Revocation => ({ kind: "jti", name, before: 0, until });
const sorted = (list: readonly Revocation[]) =>
  list.toSorted((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1));

export async function revocationTests(test: Define): Promise<void> {
  await test("integration 12: revocations are remembered until their tokens have expired, and across a restart", async (t, {
    engine,
    reopen,
  }) => {
    const told: Revocation[] = [];
    engine.revocations.attach(async (revocations) => {
      told.push(...revocations);
      return revocations.length;
    });
    const [ann, one, soon] = [user("ann", T), token("j1"), token("j2", T + 10)];
    t.equal(await engine.revocations.add([ann, one, soon]), 3, "whoever lets clients in has been told");
    t.same(told, [ann, one, soon]);
    t.same(sorted(await engine.revocations.page(undefined, 10, T)), sorted([ann, one, soon]));
    t.same(sorted(await engine.revocations.page(undefined, 10, T + 10)), sorted([ann, one]));
    if (reopen === undefined) return;
    const next = await reopen(T + 20);
    t.same(sorted(await next.revocations.page(undefined, 10, T + 20)), sorted([ann, one]));
  });

  await test("integration 12: one that is known says no less than before", async (t, { engine }) => {
    await engine.revocations.add([user("ann", T, T + 50)]);
    await engine.revocations.add([user("ann", T - 100, T + 90)]);
    await engine.revocations.add([token("ann", T + 70)]);
    t.same(
      sorted(await engine.revocations.page(undefined, 10, T)),
      sorted([user("ann", T, T + 90), token("ann", T + 70)]),
    );
  });

  await test("integration 12: they are read page by page, each once", async (t, { engine }) => {
    const all = Array.from({ length: 1250 }, (_, n) => (n % 2 === 0 ? user(`u${n}`, T) : token(`j${n}`)));
    await engine.revocations.add(all);
    const read: Revocation[] = [];
    for (let last: Revocation | undefined; ; last = read.at(-1)) {
      const page = await engine.revocations.page(last, 100, T);
      read.push(...page);
      if (page.length < 100) break;
    }
    t.same(sorted(read), sorted(all));
  });
}
