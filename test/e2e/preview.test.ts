// What a notification weighs at each vendor, before it is sent.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { startVendors, VENDORS } from "../support/vendors.ts";

interface Weighed {
  readonly provider: string;
  readonly problem?: string;
  readonly weights: readonly { readonly what: string; readonly size: number; readonly limit: number }[];
}

t.test(
  "console 5: every vendor tells what a notification uses of its limits, and what would not be taken",
  async (t) => {
    const vendors = await startVendors(t, VENDORS);
    const server = await startTestApp(t, { vendors: vendors.config() });
    const weigh = async (notification: unknown): Promise<readonly Weighed[]> =>
      (await server.ok("notification/preview", { notification }))["vendors"] as readonly Weighed[];

    const usual = await weigh({ android: { title: "Hello", message: "World" }, apn: { alert: "Hello" } });
    t.same(new Set(usual.map(({ provider }) => provider)), new Set(VENDORS));
    for (const { provider, problem, weights } of usual) {
      t.equal(problem, undefined, provider);
      t.ok(weights.length > 0, provider);
      for (const { size, limit } of weights) t.ok(size > 0 && size <= limit, `${provider}: ${size} of ${limit}`);
    }

    const huge = "x".repeat(5000);
    const payload = { huge };
    // Of Meizu no limit of the payload is known.
    for (const { provider, problem } of await weigh({
      android: { title: "T", message: "m", payload },
      apn: { alert: "a" },
    }))
      if (provider !== "meizu") t.match(problem, new RegExp(`^${provider}: .*[0-9]+ .*allowed`), provider);
    const silent = await weigh({ android: { message: "no title" }, apn: { alert: "a" } });
    t.match(
      silent.find(({ provider }) => provider === "fcm"),
      { problem: /android.title is missing/ },
    );
    t.match(
      silent.find(({ provider }) => provider === "apns"),
      { problem: undefined },
    );
    t.match(await server.post("notification/preview", { notification: "{" }), {
      status: 400,
      body: { message: /notification format error/ },
    });
    for (const name of VENDORS) t.equal(vendors.get(name).requests.length, 0, `${name} was not asked`);
  },
);
