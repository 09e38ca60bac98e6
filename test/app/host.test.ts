import { isIPv4 } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import t from "tap";
import { hostAddress } from "../../src/app/host.ts";

const at = (address: string, internal = false): NetworkInterfaceInfo =>
  address.includes(":")
    ? { address, family: "IPv6", internal, netmask: "", mac: "", cidr: null, scopeid: 0 }
    : { address, family: "IPv4", internal, netmask: "", mac: "", cidr: null };

t.test("a machine is known by an address of its own, eth0's or en0's first", async (t) => {
  const lo = [at("127.0.0.1", true), at("::1", true)];
  t.equal(
    hostAddress({ lo, eth1: [at("10.0.0.6")], eth0: [at("fe80::1"), at("10.0.0.5")], wg: [at("10.9.0.1")] }),
    "10.0.0.5",
  );
  t.equal(hostAddress({ lo, en0: [at("10.0.0.7")], utun: [at("10.9.0.1")] }), "10.0.0.7");
  t.equal(hostAddress({ lo, ens1: [at("10.0.0.8")], ens2: [at("10.0.0.9")] }), "10.0.0.9");
  t.equal(hostAddress({ lo, ens1: [at("fe80::1")] }), "127.0.0.1");
  t.equal(hostAddress({}), "127.0.0.1");
  t.ok(isIPv4(hostAddress()), "of this machine");
});
