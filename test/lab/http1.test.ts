// The vendors that speak HTTP/1.1, in each kind of trouble that the lab knows.
import type { FakeVendor } from "../../src/lab/fake.ts";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { fakeHarmony, fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import { fakeMeizu } from "../../src/lab/vendors/meizu.ts";
import { fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { fakeUmeng } from "../../src/lab/vendors/umeng.ts";
import { fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { fakeXiaomi } from "../../src/lab/vendors/xiaomi.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { honor } from "../../src/vendors/honor.ts";
import { harmony, huawei } from "../../src/vendors/huawei.ts";
import { meizu } from "../../src/vendors/meizu.ts";
import { oppo } from "../../src/vendors/oppo.ts";
import { umeng } from "../../src/vendors/umeng.ts";
import { vivo } from "../../src/vendors/vivo.ts";
import { xiaomi } from "../../src/vendors/xiaomi.ts";
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
