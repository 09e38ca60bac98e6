// Where a port is: with which certificate, and by which address it is called.

export const tls = ({ tlsCert, tlsKey }: { readonly tlsCert: string; readonly tlsKey: string }) =>
  tlsCert === "" ? {} : { tls: { certFile: tlsCert, keyFile: tlsKey } };

export function url({ host, tlsCert }: { readonly host: string; readonly tlsCert: string }, port: number): string {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${tlsCert === "" ? "http" : "https"}://${name}:${port}`;
}

/** Where this machine itself finds it. */
export const reachable = (url: string): string => url.replace(/\/\/(0\.0\.0\.0|\[::\])/, "//127.0.0.1");

/** The console, opened where somebody sets a password. */
export const setupLink = (consoleUrl: string, secret: string): string => `${reachable(consoleUrl)}/#setup=${secret}`;
