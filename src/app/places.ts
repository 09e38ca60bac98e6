// Where a port is: encrypted or not, and by which address it is called.

type Named = Readonly<Record<"host" | "domain" | "tlsCert", string>>;

/** By a certificate of its own, or of a domain (`acme`). */
export const isEncrypted = ({ domain, tlsCert }: Omit<Named, "host">): boolean => domain + tlsCert !== "";

/** @param port that it has, where the settings say 0 */
export function url({ host, domain, tlsCert }: Named, port: number): string {
  if (domain !== "") return `https://${domain}${port === 443 ? "" : `:${port}`}`;
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${tlsCert === "" ? "http" : "https"}://${name}:${port}`;
}

/** Where this machine itself finds it. */
export const reachable = (url: string): string => url.replace(/\/\/(0\.0\.0\.0|\[::\])/, "//127.0.0.1");

/** The console, opened where somebody sets a password. */
export const setupLink = (consoleUrl: string, secret: string): string => `${reachable(consoleUrl)}/#setup=${secret}`;
