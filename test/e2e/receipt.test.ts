// What vendors post about what they delivered: who is believed, what it counts, and that it counts once.
import t, { type Test } from "tap";
import { huaweiReceipt } from "../../src/lab/receipts.ts";
import type { TestApp } from "../support/app.ts";
import { startTestApp } from "../support/app.ts";
import {
  counted,
  deliveriesOf,
  device,
  type Fields,
  fresh,
  jobIn,
  type Phone,
  phone,
  tokenOf,
} from "../support/devices.ts";
import { startVendors, type VendorName } from "../support/vendors.ts";

type CallingBack = "harmony" | "honor" | "huawei" | "meizu" | "oppo" | "vivo" | "xiaomi";

interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const secret = (name: string) => `secret-of-${name}-0123456789`;
const callback = (name: string) => `https://push.example.com/api/receipt/${name}/${secret(name)}`;
const HUAWEI_KEY = { secret: "huawei-callback-key", user: "push" };
const huaweiKey = { callback_secret: "huawei-callback-key", callback_user: "push" };
const vendors = await startVendors(
  t,
  ["apns", "fcm", "harmony", "honor", "huawei", "meizu", "oppo", "umeng", "vivo", "xiaomi"],
  {
    harmony: { receipt_secret: secret("harmony"), ...huaweiKey },
    honor: { receipt_secret: secret("honor") },
    huawei: { receipt_secret: secret("huawei"), ...huaweiKey },
    meizu: { receipt_secret: secret("meizu"), callback_url: callback("meizu"), callback_token: "meizu-lab-callback" },
    oppo: { receipt_secret: secret("oppo"), callback_url: callback("oppo") },
    vivo: { receipt_secret: secret("vivo"), callback_url: callback("vivo") },
    xiaomi: { receipt_secret: secret("xiaomi"), callback_url: callback("xiaomi") },
  },
);
const server = await startTestApp(t, { vendors: vendors.config() });

const phoneOf = (t: Test, name: VendorName) => phone(t, server, vendors.get(name));

/** As the vendor would, without the API's key. */
async function post(name: string, given: string, { headers, body }: Post, at: TestApp = server) {
  const answer = await fetch(`${at.apiUrl}/api/receipt/${name}/${given}`, { method: "POST", headers, body });
  return { status: answer.status, body: (await answer.json()) as Fields };
}

const huawei = (form: "nested" | "flat", param: string, id: unknown, token: string, key = HUAWEI_KEY): Post =>
  huaweiReceipt(form, [{ token, id: String(id), param }], 0, Date.now(), key);

/** What each vendor posts when the notification has arrived at the token. */
const arrived: Readonly<Record<CallingBack, (id: string, token: string, receipt: unknown) => Post>> = {
  harmony: (id, token, receipt) => huawei("flat", id, receipt, token),
  // Honor's form is Huawei's, without a signature.
  honor: (id, token, receipt) => huaweiReceipt("nested", [{ token, id: String(receipt), param: id }], 0, Date.now()),
  huawei: (id, token, receipt) => huawei("nested", id, receipt, token),
  meizu: (_, token) => vendors.get("meizu").fake.receipt(token, "arrived"),
  oppo: (_, token) => vendors.get("oppo").fake.receipt(token, Date.now()),
  vivo: (_, token) => vendors.get("vivo").fake.receipt(token),
  xiaomi: (_, token) => vendors.get("xiaomi").fake.receipt(token, "arrived", Date.now()),
};

const notification = { android: { title: "T", message: "hello you" }, apn: { alert: "T" } };

/** Sends to these phones; resolves when the vendors have accepted. */
async function notify(phones: readonly Phone[], id = fresh("note")): Promise<string> {
  await server.ok("notification", {
    pushId: phones.map((one) => one.id),
    timeToLive: 600_000,
    notification: { ...notification, id },
  });
  const job = await jobIn(server, id);
  if ((job["progress"] as Fields)["accepted"] !== phones.length) throw new Error(JSON.stringify(job));
  return id;
}

for (const name of Object.keys(arrived) as readonly CallingBack[]) {
  t.test(`API 27: ${name} tells of an arrival: it counts once, and only from ${name}`, async (t) => {
    const [one, two] = [await phoneOf(t, name), await phoneOf(t, name)];
    const id = await notify([one, two]);
    t.match(await counted(server, id, name), { target: 2, accepted: 2, arrive: 0, arrivalRate: "0.00%" });
    const [first, second] = await deliveriesOf(server, id);
    const told = arrived[name](id, one.token, first?.["receipt"]);

    t.match(await post(name, "no-secret-of-anybody", told), { status: 404, body: { code: "error" } });
    const other = name === "xiaomi" ? "oppo" : "xiaomi";
    t.match(await post(name, secret(other), told), { status: 404 }, "another vendor's secret");
    t.match(await post("fcm", secret(name), told), { status: 404 }, "a vendor without receipts");
    t.match(await post(name, secret(name), { ...told, body: "nonsense" }), { status: name === "meizu" ? 401 : 400 });
    t.match(await counted(server, id, name), { arrive: 0 }, "nothing counted so far");

    t.match(await post(name, secret(name), told), { status: 200 });
    const again = await Promise.all([1, 2, 3].map(() => post(name, secret(name), told)));
    t.same(
      again.map(({ status }) => status),
      [200, 200, 200],
    );
    t.match(await counted(server, id, name), { target: 2, arrive: 1, arrivalRate: "50.00%", click: 0 });
    const [record, silent] = await deliveriesOf(server, id);
    t.equal(record?.["pushId"], one.id);
    t.ok(Math.abs(Date.now() - Number(record?.["arrivedAt"])) < 60_000);
    t.match(record, { state: "accepted", receipt: first?.["receipt"] });
    t.equal(silent?.["arrivedAt"], undefined);

    t.match(await post(name, secret(name), arrived[name](id, two.token, second?.["receipt"])), { status: 200 });
    t.match(await counted(server, id, name), { arrive: 2, arrivalRate: "100.00%" });
    t.match(await server.ok("notification/get", { id }), { counts: { [name]: { arrive: 2 } } });
  });
}

t.test("a wrong signature or token of the callback is refused with 401, and nothing is counted", async (t) => {
  for (const name of ["huawei", "harmony"] as const) {
    const one = await phoneOf(t, name);
    const id = await notify([one]);
    const form = name === "huawei" ? "nested" : "flat";
    const [delivery] = await deliveriesOf(server, id);
    const forged = huawei(form, id, delivery?.["receipt"], one.token, { ...HUAWEI_KEY, secret: "another key" });
    t.match(await post(name, secret(name), forged), {
      status: 401,
      body: { code: "error", message: /callback_secret/ },
    });
    t.match(await post(name, secret(name), { ...forged, headers: {} }), { status: 401 });
    t.match(await counted(server, id, name), { arrive: 0 });
  }
  const one = await phoneOf(t, "meizu");
  const id = await notify([one]);
  const { headers, body } = vendors.get("meizu").fake.receipt(one.token, "arrived");
  const forged = body.replace("meizu-lab-callback", "guessed");
  const answer = await post("meizu", secret("meizu"), { headers, body: forged });
  t.match(answer, { status: 401, body: { code: "error" } });
  t.notMatch(JSON.stringify(answer), "meizu-lab-callback");
  t.match(await counted(server, id, "meizu"), { arrive: 0 });
});

t.test("API 27: of three phones two get it and one opens it: 66.67% and 50.00%", async (t) => {
  const { fake } = vendors.get("xiaomi");
  const phones = [await phoneOf(t, "xiaomi"), await phoneOf(t, "xiaomi"), await phoneOf(t, "xiaomi")];
  const id = await notify(phones);
  for (const [i, event] of (["arrived", "arrived", "clicked"] as const).entries())
    await post("xiaomi", secret("xiaomi"), fake.receipt(phones[i % 2]!.token, event, Date.now()));
  t.match(await counted(server, id, "xiaomi"), {
    target: 3,
    accepted: 3,
    arrive: 2,
    click: 1,
    arrivalRate: "66.67%",
    clickRate: "50.00%",
  });
  t.match(await deliveriesOf(server, id), [{ clickedAt: Number }, { arrivedAt: Number }, { state: "accepted" }]);
});

t.test("API 27: a click that both the client and the vendor tell of counts once", async (t) => {
  const one = await phoneOf(t, "xiaomi");
  const id = await notify([one]);
  one.client.emit("notificationClick", { id, type: "xiaomi" });
  await one.client.settle();
  t.match(await counted(server, id, "xiaomi"), { click: 1 });
  await post("xiaomi", secret("xiaomi"), vendors.get("xiaomi").fake.receipt(one.token, "clicked", Date.now()));
  t.match(await counted(server, id, "xiaomi"), { click: 1, arrive: 0 });
  const apple = await phoneOf(t, "apns");
  const second = await notify([apple]);
  for (let n = 0; n < 2; n++) apple.client.emit("notificationClick", { id: second, type: "apn" });
  await apple.client.settle();
  t.match(await counted(server, second, "apn"), { target: 1, arrive: 1, click: 1, clickRate: "100.00%" });
});

t.test("API 27: umeng's SDK replies over the connection: counted as its arrival, once", async (t) => {
  const one = await phoneOf(t, "umeng");
  const id = await notify([one]);
  for (let n = 0; n < 2; n++) one.client.emit("notificationReply", { id });
  await one.client.settle();
  t.match(await counted(server, id, "umeng"), { target: 1, accepted: 1 });
  t.match(await counted(server, id, "android"), { target: 1, arrive: 1 });
});

t.test(
  "a receipt that is faster than the vendor's answer is not lost, and the retry counts nothing twice",
  async (t) => {
    const vendor = vendors.get("xiaomi");
    const one = await phoneOf(t, "xiaomi");
    const id = fresh("fast");
    vendor.server.misbehave({ fault: { kind: "cut" } });
    // Until the receipt is here, however long that takes.
    vendor.server.misbehave({ fault: { kind: "reply", reply: { status: 503 } }, times: Number.POSITIVE_INFINITY });
    const accepted = notify([one], id);
    await vendor.shown(id);
    const told = vendor.fake.receipt(one.token, "arrived", Date.now());
    t.match(await post("xiaomi", secret("xiaomi"), told), { status: 200 });
    t.match(await counted(server, id, "xiaomi"), { arrive: 1, accepted: 0 });
    vendor.server.behave();
    await accepted;
    await post("xiaomi", secret("xiaomi"), vendor.fake.receipt(one.token, "arrived", Date.now()));
    t.match(await counted(server, id, "xiaomi"), { target: 1, accepted: 1, arrive: 1, arrivalRate: "100.00%" });
    t.equal((await vendor.shown(id)).length, 1, "the phone dropped the repetition by its key");
  },
);

t.test(
  "a vendor that says later that a token is dead has it forgotten, unless it was registered again since",
  async (t) => {
    const { fake } = vendors.get("xiaomi");
    const [dead, back] = [await phoneOf(t, "xiaomi"), await phoneOf(t, "xiaomi")];
    const id = await notify([dead, back]);
    const before = Date.now() - 60_000;
    await post("xiaomi", secret("xiaomi"), fake.receipt(dead.token, "gone", Date.now() + 1000));
    await post("xiaomi", secret("xiaomi"), fake.receipt(back.token, "gone", before));
    t.match(await server.ok("device/get", { pushId: dead.id }), {
      type: "androidNoToken",
      token: undefined,
      tokenHistory: [
        { type: "xiaomi", token: dead.token, at: Number, reason: "xiaomi says later that the token is dead" },
      ],
    });
    t.match(await server.ok("device/get", { pushId: back.id }), { type: "xiaomi", token: back.token });
    t.match(await deliveriesOf(server, id), [{ state: "accepted", reason: /the token is dead/ }, {}]);
    const { id: next } = await server.ok("notification", { pushId: [dead.id, back.id], notification });
    t.match(await jobIn(server, next), { routes: { connection: 1, xiaomi: 1 } });
  },
);

t.test("receipts of what nobody sent are taken and change nothing; none is logged as a fault", async (t) => {
  const one = await phoneOf(t, "vivo");
  const body = JSON.stringify({ "no-such-task": { param: "no-such-note", targets: one.token } });
  t.match(await post("vivo", secret("vivo"), { headers: { "content-type": "application/json" }, body }), {
    status: 200,
  });
  const keyed = await startTestApp(t, {
    data: t.testdir(),
    vendors: vendors.config({ oppo: [{ ...vendors.get("oppo").entry, receipt_secret: undefined }] }),
    api: { keys: [{ name: "backend", key: "16-characters-or-more" }] },
  });
  t.match(await post("vivo", secret("vivo"), { headers: {}, body }, keyed), { status: 200 }, "no API key is needed");
  t.match(
    await post("oppo", "undefined", { headers: {}, body: "[]" }, keyed),
    { status: 404 },
    "no secret, no receipts",
  );
  const { client } = await device(t, server, { ...tokenOf(vendors.get("vivo"), "x") });
  await client.settle();
  t.same(
    server.log.filter((line) => !line.startsWith("info")),
    [],
  );
  t.same(
    server.log.filter((line) => line.includes("secret-of-")),
    [],
  );
});
