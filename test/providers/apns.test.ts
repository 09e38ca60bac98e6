import { fakeApns } from "../../src/lab/apns.ts";
import { apns } from "../../src/providers/apns.ts";
import { conformance } from "./conformance.ts";

const token = (n: number) => n.toString(16).padStart(64, "0");

conformance({ dialect: apns, fake: fakeApns, token, renews: false, streams: { first: 1, full: 500 } });
