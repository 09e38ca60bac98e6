import { test } from "tap";
import { canonical, compact, isJson, memberText } from "../../src/api/json.ts";

test("isJson agrees with JSON.parse", async (t) => {
  for (const [text, expected] of [
    ["{}", true],
    [" [1] ", true],
    ['"a"', true],
    ["-1", true],
    ["true", true],
    ["\n5\t", true],
    ["", false],
    [" ", false],
    ["+1", false],
    ["nul", false],
    ["NaN", false],
    ["Infinity", false],
    ["'a'", false],
    ["{a:1}", false],
    ["\u00a05", false],
    ["[1,]", false],
  ] as const) {
    t.equal(isJson(text), expected, JSON.stringify(text));
  }
});

test("a member's text is what JSON.parse would have read, wherever it stands", async (t) => {
  // A fixed sequence, so that a failure can be repeated.
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const strings = ["", "json", 'quote"', "back\\slash", "{[", "]}", ",:", "\\", "ü\u2028", "\n", "\\u006a"];
  const value = (depth: number): unknown => {
    const kind = random(depth > 3 ? 5 : 7);
    if (kind === 0) return null;
    if (kind === 1) return random(2) === 0;
    if (kind === 2) return random(1000) / 8 - 50;
    if (kind < 5) return strings[random(strings.length)];
    if (kind === 5) return Array.from({ length: random(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: random(4) }, () => [strings[random(strings.length)], value(depth + 1)]),
    );
  };
  let found = 0;
  for (let round = 0; round < 3000; round++) {
    const object = Object.fromEntries(
      Array.from({ length: random(5) }, () => [strings[random(strings.length)] ?? "", value(0)]),
    );
    const text = JSON.stringify(object, null, random(2) * 2);
    for (const name of strings) {
      const member = memberText(text, name);
      if (member !== undefined) found++;
      const same =
        member === undefined ? !(name in object) : JSON.stringify(JSON.parse(member)) === JSON.stringify(object[name]);
      if (!same) t.fail(`${name} in ${text} read as ${member}`);
    }
  }
  t.ok(found > 3000, `${found} members`);
});

test("compact takes away what means nothing, and no more", async (t) => {
  for (const [text, expected] of [
    [' { "a" : [ 1 , 2.50 , true ] ,\r\n"b":"x  y" } ', '{"a":[1,2.50,true],"b":"x  y"}'],
    ['{"n":12345678901234567890}', '{"n":12345678901234567890}'],
    ['"\\u00e9\\/ \\""', '"é/ \\""'],
    ['"a"', '"a"'],
    [" 5 ", "5"],
    ["", ""],
  ] as const)
    t.equal(compact(text), expected, text);
});

test("canonical sorts members at every depth, never the items of a list", async (t) => {
  t.equal(canonical({ b: [2, { d: 1, c: null }], a: "1" }), '{"a":"1","b":[2,{"c":null,"d":1}]}');
  t.equal(canonical(JSON.parse('{"__proto__":1,"a":true}')), '{"__proto__":1,"a":true}');
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  t.equal(canonical(nested(64)).length, 129);
  t.throws(() => canonical(nested(65)), { code: "invalid" });
});
