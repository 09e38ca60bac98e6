import { test } from "tap";
import type { AppId } from "../../src/core/vendor.ts";
import { Places } from "../../src/vendors/places.ts";

const app = { app: "com.example" as AppId, account: "key", baseUrl: "https://push.example", publicOnly: true };

test("a request goes where its own URL says, whatever the one before said", async (t) => {
  const places = new Places("webpush");
  const first = places.of(app, "https://push.example/a", false);
  t.equal(first.origin, "https://push.example");
  t.same(places.of(app, "https://push.example/b?c", false), first);
  for (const [url, origin] of [
    ["https://push.example.evil.test/a", "https://push.example.evil.test"],
    ["https://push.example:8443/a", "https://push.example:8443"],
    ["https://push.example@evil.test/a", "https://evil.test"],
    ["http://push.example/a", "http://push.example"],
  ] as const) {
    places.of(app, "https://push.example/a", false);
    const other = places.of(app, url, false);
    t.equal(other.origin, origin);
    t.not(other.key, first.key);
  }
});

test("a host that is not public is refused after one that is, each time", async (t) => {
  const places = new Places("webpush");
  for (let i = 0; i < 2; i++) {
    places.of(app, "https://push.example/a", false);
    t.throws(() => places.of(app, "https://127.0.0.1/a", false), { message: /webpush: 127\.0\.0\.1 is not a public/ });
  }
});

test("what is asked on a connection of its own shares none with the rest, nor another account with this one", async (t) => {
  const places = new Places("apns");
  const url = "https://push.example/a";
  const { key } = places.of(app, url, false);
  t.not(places.of(app, url, true).key, key);
  t.not(places.of({ ...app, account: "another key" }, url, false).key, key);
  t.equal(places.of(app, url, false).key, key);
});
