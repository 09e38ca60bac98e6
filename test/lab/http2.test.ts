// The vendors that speak HTTP/2, in each kind of trouble that the lab knows.
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { fakeWebPush } from "../../src/lab/vendors/webpush.ts";
import { apns } from "../../src/vendors/apns.ts";
import { fcm } from "../../src/vendors/fcm.ts";
import { webpush } from "../../src/vendors/webpush.ts";
import { everyFaultIsTried, misdeeds } from "./misdeeds.ts";

everyFaultIsTried();
misdeeds({ dialect: apns, fake: fakeApns(), token: () => "1ab0".repeat(16) });
misdeeds({ dialect: fcm, fake: fakeFcm(), token: () => "fcm-token" });
const browsers = fakeWebPush();
misdeeds({ dialect: webpush, fake: browsers, token: (url) => browsers.subscribe(url, "browser") });
