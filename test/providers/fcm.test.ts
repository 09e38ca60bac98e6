import { fakeFcm } from "../../src/lab/fcm.ts";
import { fcm } from "../../src/providers/fcm.ts";
import { conformance } from "./conformance.ts";

conformance({ dialect: fcm, fake: fakeFcm, token: (n) => `fcm-token-${n}`, renews: true });
