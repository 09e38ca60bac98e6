// What `check` and `doctor` say of domains, without what the authority is asked with: the network's packages take a tenth of a second.
import { concern, described } from "./plan.ts";
import { CertificateStore } from "./store.ts";

/** What is stored of each domain, without asking anybody. */
export async function storedCertificates(
  dataDir: string,
  domains: readonly string[],
  now: number,
): Promise<readonly { readonly concern: ReturnType<typeof concern>; readonly text: string }[]> {
  const store = new CertificateStore(dataDir);
  return await Promise.all(
    domains.map(async (domain) => {
      const [certificate, tried] = await Promise.all([store.certificate(domain), store.tried(domain)]);
      // Before the first start nothing is amiss.
      const fresh = certificate === undefined && tried.reason === "";
      return {
        concern: fresh ? "none" : concern(certificate, tried, now),
        text: described(domain, certificate, tried, now),
      };
    }),
  );
}
