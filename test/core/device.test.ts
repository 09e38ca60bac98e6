import t from "tap";
import { compareVersions, passes } from "../../src/core/device.ts";

t.test("versions compare part by part, as integers", async (t) => {
  const cases: readonly [string, string, -1 | 0 | 1 | undefined][] = [
    ["1.5", "1.5.1", -1],
    ["1.5", "1.5.0", -1],
    ["1.5.11", "1.5.6", 1],
    ["1.6", "1.5.1", 1],
    ["10", "9", 1],
    ["2.4", "2.3.1", 1],
    ["01.5", "1.5", 0],
    ["99999999999999999999", "99999999999999999998", 1],
    ["1.5b", "1", undefined],
    ["", "1", undefined],
    ["1.", "1", undefined],
    ["1", "-1", undefined],
  ];
  for (const [a, b, expected] of cases) t.equal(compareVersions(a, b), expected, `${a} against ${b}`);
});

t.test("API 18: a tag filter lets a device through by the version in its first matching tag", async (t) => {
  const version = ["version_2.3.1"];
  const filter = (bounds: { lessThan?: string; greaterThan?: string }) => ({ start: "version_", ...bounds });
  t.equal(passes(version, filter({ greaterThan: "2.5" })), false);
  t.equal(passes(version, filter({ greaterThan: "2.3" })), true);
  t.equal(passes(version, filter({ lessThan: "2.5" })), true);
  t.equal(passes(version, filter({ lessThan: "2.1" })), false);
  t.equal(passes(version, filter({ lessThan: "2.3.1" })), false);
  t.equal(passes(version, filter({ greaterThan: "2.3", lessThan: "2.5" })), true);
  t.equal(passes(["v_1", "v_3"], { start: "v_", greaterThan: "2" }), false, "the first tag decides");
  t.equal(passes(["v_3", "v_1"], { start: "v_", greaterThan: "2" }), true);
  t.equal(passes(["other"], { start: "v_", greaterThan: "2" }), false, "no such tag");
  t.equal(passes(["v_1.x"], { start: "v_", lessThan: "2" }), false, "not a version");
});
