// Whom connections that we open trust. Parsing the list of usual authorities takes 5 to 10 ms of the main thread, at each push host
// and webhook that is met: it is done once for what the operator adds to it.
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

/** The last one that was asked for with certificates of the operator's own: a process has one such file, or one for each of few uses. */
let last: { readonly ca: string; readonly context: SecureContext } | undefined;

/** @param ca PEM certificates to trust besides the usual ones */
export function trusting(ca: string | undefined): SecureContext {
  if (ca === undefined) return createSecureContext(); // Node has parsed these
  if (last?.ca !== ca) last = { ca, context: createSecureContext({ ca: [...rootCertificates, ca] }) };
  return last.context;
}
