import { connect } from "node:net";
import { test } from "tap";
import { routes } from "../../src/http/routes.ts";
import { createServer } from "../../src/http/server.ts";
import { addressList } from "../../src/http/uws/address.ts";

test("a route is found by path in any case, by method where it names one, with one free segment at the end", async (t) => {
  const find = routes([
    { path: "/api/push", handler: "push" },
    { path: "/api/Stats/arrival/:type", handler: "arrival" },
    { method: "get", path: "/admin/users", handler: "list" },
    { method: "post", path: "/admin/users", handler: "create" },
    { method: "get", path: "/admin/users/:name", handler: "show" },
    { path: "/admin/:page", handler: "page" },
    { path: "/", handler: "home" },
  ]);
  for (const [method, path, handler, rest] of [
    ["get", "/api/push", "push", ""],
    ["post", "/API/Push/", "push", ""],
    ["get", "/api/stats/ARRIVAL/My%20Type", "arrival", "My Type"],
    ["get", "/api/stats/arrival/%zz/", "arrival", "%zz"],
    ["get", "/admin/users", "list", ""],
    ["post", "/admin/users/", "create", ""],
    ["get", "/admin/users/Ann", "show", "Ann"],
    ["put", "/admin/users", "page", "users"],
    ["get", "/", "home", ""],
  ] as const) {
    t.strictSame(find(method, path), { handler, rest }, `${method} ${path}`);
  }
  for (const [method, path] of [
    ["get", "/api/push//"],
    ["get", "//api/push"],
    ["get", "/api/stats/arrival"],
    ["get", "/api/stats/arrival/"],
    ["get", "/api/stats/arrival/a/b"],
    ["post", "/admin/users/Ann"],
    ["get", "/api/__proto__"],
    ["get", ""],
    ["get", "*"],
  ] as const) {
    t.equal(find(method, path), undefined, `${method} ${path}`);
  }
});

test("an address list knows single addresses and networks of both families", async (t) => {
  const list = addressList(["10.0.0.0/8", "192.168.1.5", "2001:db8::/32", "::1"]);
  for (const address of ["10.1.2.3", "192.168.1.5", "2001:db8:1::1", "::1"]) t.ok(list.has(address), address);
  for (const address of ["11.0.0.1", "192.168.1.6", "2001:db9::1", "::2", "", "localhost", "10.0.0.0/8"]) {
    t.notOk(list.has(address), address);
  }
});

test("the caller's address has one spelling, whatever the socket", async (t) => {
  const server = createServer(
    { host: "::", port: 0, maxBody: 1, bodyTimeout: 1000, trustedProxies: [] },
    {
      open: (head) => ({ status: 200, headers: [], body: `[${head.address}]` }),
      failure: () => ({ status: 500, headers: [], body: "" }),
    },
  );
  t.teardown(() => server.close());
  const port = await server.listen();
  for (const [host, expected] of [
    ["127.0.0.1", "[127.0.0.1]"],
    ["::1", "[::1]"],
  ] as const) {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, host, () => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      socket.once("data", (data) => resolve(socket.destroy() && data.toString()));
      socket.once("error", reject);
    });
    t.ok(text.endsWith(expected), text);
  }
});
