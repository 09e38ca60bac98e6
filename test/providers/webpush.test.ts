import { type FakePushService, fakeWebPush } from "../../src/lab/webpush.ts";
import { webpush } from "../../src/providers/webpush.ts";
import { conformance } from "./conformance.ts";

conformance({
  dialect: webpush,
  fake: fakeWebPush,
  token: (n, url, fake) => (fake as FakePushService).subscribe(url, `browser-${n}`),
  renews: false,
  denial: "refused",
});
