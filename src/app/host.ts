// Which machine this is, as the statistics and the sockets' ids name it.
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

const FIRST_CHOICE = ["eth0", "en0"];

/** The machine's IPv4 address: that of eth0 or en0, else of the last interface that leads out, else 127.0.0.1. */
export function hostAddress(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> = networkInterfaces(),
): string {
  const outward = Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => ({ name, address })),
  );
  const found = outward.find(({ name }) => FIRST_CHOICE.includes(name)) ?? outward.at(-1);
  return found?.address ?? "127.0.0.1";
}
