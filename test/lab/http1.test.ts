// The vendors that speak HTTP/1.1, in each kind of trouble that the lab knows.
import type { FakeVendor } from "../../src/lab/fake.ts";
import { fakeHonor } from "../../src/lab/honor.ts";
import { fakeHarmony, fakeHuawei } from "../../src/lab/huawei.ts";
import { fakeMeizu } from "../../src/lab/meizu.ts";
import { fakeOppo } from "../../src/lab/oppo.ts";
import { fakeUmeng } from "../../src/lab/umeng.ts";
import { fakeVivo } from "../../src/lab/vivo.ts";
import { fakeXiaomi } from "../../src/lab/xiaomi.ts";
import type { CommonApp, Dialect } from "../../src/providers/dialect.ts";
import { honor } from "../../src/providers/honor.ts";
import { harmony, huawei } from "../../src/providers/huawei.ts";
import { meizu } from "../../src/providers/meizu.ts";
import { oppo } from "../../src/providers/oppo.ts";
import { umeng } from "../../src/providers/umeng.ts";
import { vivo } from "../../src/providers/vivo.ts";
import { xiaomi } from "../../src/providers/xiaomi.ts";
import { misdeeds } from "./misdeeds.ts";

const phones = <App extends CommonApp>(dialect: Dialect<App>, fake: FakeVendor): void =>
  misdeeds({ dialect, fake, token: () => `${fake.name}-token` });

phones(harmony, fakeHarmony());
phones(honor, fakeHonor());
phones(huawei, fakeHuawei());
phones(meizu, fakeMeizu());
phones(oppo, fakeOppo());
phones(umeng, fakeUmeng());
phones(vivo, fakeVivo());
phones(xiaomi, fakeXiaomi());
