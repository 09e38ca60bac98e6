// The dashboard for Grafana: each query asks for metrics and labels that a server has.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t from "tap";
import { dashboard, ROWS } from "../../scripts/release/grafana.ts";
import { startTestApp } from "../support/app.ts";

const queries = Object.values(ROWS).flatMap((row) => row.flatMap((panel) => panel.queries));

t.test("each panel asks for metrics that there are, by labels that they have", async (t) => {
  const app = await startTestApp(t);
  await app.ok("push", { topic: "news", json: "1" });
  const text = await (await fetch(`${app.apiUrl}/metrics`)).text();
  const known = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => [name, type]));
  // What has not happened yet has no sample: its labels are in the source.
  const source = readFileSync(resolve(import.meta.dirname, "../../src/app/metrics.ts"), "utf8");
  for (const [expression, legend] of queries) {
    const names = [...expression.matchAll(/\b((?:pushbox|process|nodejs)_\w+)\{/g)].map(([, name = ""]) => name);
    t.ok(names.length > 0, expression);
    for (const name of names) {
      const type = known.get(name.replace(/_bucket$/, ""));
      t.ok(type, name);
      if (/\brate\(/.test(expression)) t.match(type, /counter|histogram/, `${name} only grows`);
      else t.equal(type, "gauge", name);
    }
    // The node is a label of everything where there may be several (test/e2e/cluster.test.ts).
    for (const [, label = ""] of `${legend} ${expression}`.matchAll(/\{\{(\w+)\}\}/g))
      if (!["job", "instance", "node"].includes(label))
        t.match(source, new RegExp(`"${label}"`), `${label} of ${expression}`);
    const by = /by \(([^)]*)\)/.exec(expression)?.[1]?.split(", ") ?? [];
    for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g))
      if (by.length > 0) t.ok(by.includes(label), `${label} is summed away in ${expression}`);
  }
});

t.test("promtool takes every query, and the file is what Grafana imports", async (t) => {
  const made = JSON.parse(dashboard("0.0.0")) as {
    readonly panels: readonly { readonly id: number; readonly type: string }[];
  };
  t.equal(new Set(made.panels.map(({ id }) => id)).size, made.panels.length);
  t.equal(made.panels.filter(({ type }) => type === "timeseries").length, Object.values(ROWS).flat().length);
  const file = join(t.testdir({}), "rules.yml");
  const rules = queries.map(([expression], at) => ({
    record: `pushbox:query_${at}`,
    expr: expression.replaceAll("$__rate_interval", "5m"),
  }));
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  const checked = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8" });
  if (checked.error !== undefined) t.pass("left out: promtool is not installed");
  else t.match(checked, { status: 0 }, checked.stderr);
});
