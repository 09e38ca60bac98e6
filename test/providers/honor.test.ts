import { fakeHonor } from "../../src/lab/honor.ts";
import { honor } from "../../src/providers/honor.ts";
import { conformance } from "./conformance.ts";

conformance({ dialect: honor, fake: fakeHonor, token: (n) => `honor-token-${n}`, renews: true });
