// Commands that speak to a server trust whom this machine trusts, as curl does, and SSL_CERT_FILE: a company's own authority is there.
import { getCACertificates, setDefaultCACertificates } from "node:tls";

let trusted = false;

/** Reading them takes some milliseconds: only where the address is one of https. */
export function trustMachine({ protocol }: URL): void {
  if (trusted || protocol !== "https:") return;
  trusted = true;
  setDefaultCACertificates([...new Set([...getCACertificates("default"), ...getCACertificates("system")])]);
}
