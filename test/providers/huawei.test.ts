import { fakeHarmony, fakeHuawei } from "../../src/lab/huawei.ts";
import { harmony, huawei } from "../../src/providers/huawei.ts";
import { conformance } from "./conformance.ts";

conformance({ dialect: huawei, fake: fakeHuawei, token: (n) => `huawei-token-${n}`, renews: true });
conformance({ dialect: harmony, fake: fakeHarmony, token: (n) => `harmony-token-${n}`, renews: true });
