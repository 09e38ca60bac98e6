import t from "tap";
import { Suspects } from "../../src/core/suspects.ts";
import type { Outcome } from "../../src/core/vendor.ts";

const T = 1_800_000_000_000;
const ACCEPTED: Outcome = { kind: "accepted" };
const doubtful = (now: number): Outcome => ({ kind: "refused", reason: "all invalid", suspect: { from: now + 1000 } });
const unauthorised = (now: number): Outcome => ({
  kind: "retry",
  reason: "403",
  suspect: { from: now + 1000, orDenied: true },
});

t.test("a token is dead when the same is said of it later, unless it was accepted in between", async (t) => {
  const suspects = new Suspects();
  const said = (token: string, at: number) => suspects.judge(token, doubtful(at), at).kind;
  t.equal(said("a", T), "refused");
  t.equal(said("a", T + 999), "refused", "too soon after the first");
  t.equal(said("b", T + 1000), "refused", "another token");
  t.equal(said("a", T + 1000), "gone");
  t.equal(said("a", T + 1001), "refused", "registered again it begins anew");
  suspects.judge("b", ACCEPTED, T + 2500);
  t.equal(said("b", T + 3000), "refused");
  suspects.clear();
  t.equal(said("b", T + 9000), "refused");
});

t.test("other outcomes stay as they are", async (t) => {
  const suspects = new Suspects();
  const others: readonly Outcome[] = [
    ACCEPTED,
    { kind: "refused", reason: "r" },
    { kind: "retry", reason: "r" },
    { kind: "gone", reason: "r" },
    { kind: "denied", reason: "r" },
    { kind: "paused", reason: "r", until: 1 },
  ];
  for (const outcome of [...others, ...others]) t.equal(suspects.judge("a", outcome, T), outcome);
});

t.test("F3: an answer that spares the token ends the message, never the token", async (t) => {
  const suspects = new Suspects();
  const said = (at: number) =>
    suspects.judge(
      "a",
      { kind: "retry", reason: "403", suspect: { from: at + 1000, orDenied: true, spares: true } },
      at,
    );
  suspects.judge("good", ACCEPTED, T);
  t.equal(said(T).kind, "retry");
  t.same(said(T + 2000), { kind: "refused", reason: "403, again" });
});

t.test("one token that is unauthorised is dead after its second failure", async (t) => {
  const suspects = new Suspects();
  t.equal(suspects.judge("a", unauthorised(T), T).kind, "retry");
  t.equal(suspects.judge("a", unauthorised(T + 2000), T + 2000).kind, "gone");
});

t.test("several that are refused, and none accepted, mean that the credentials are wrong", async (t) => {
  const suspects = new Suspects();
  const said = (token: string, at: number) => suspects.judge(token, unauthorised(at), at);
  for (const token of ["a", "b", "c"]) t.equal(said(token, T).kind, "retry");
  t.same(said("a", T + 2000), { kind: "denied", reason: "403" }, "and none of them is given up");
  t.equal(said("b", T + 9000).kind, "retry", "the lane goes on: it begins anew");
  suspects.clear();
  for (let n = 1; n < 10; n++) t.equal(said(`t${n}`, T).kind, "retry");
  t.equal(said("t10", T).kind, "denied", "so many are not waited for");
});

t.test("credentials that were accepted once are not wrong: clients cannot stop the lane", async (t) => {
  const suspects = new Suspects();
  suspects.judge("good", ACCEPTED, T);
  for (let n = 0; n < 50; n++) t.equal(suspects.judge(`t${n}`, unauthorised(T), T).kind, "retry");
  for (let n = 0; n < 50; n++) t.equal(suspects.judge(`t${n}`, unauthorised(T), T + 2000).kind, "gone");
});
