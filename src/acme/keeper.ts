// Keeps a certificate for each domain: asks when one is wanted, one domain after the other, and never too often.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { systemTrouble } from "../core/system-errors.ts";
import { HOUR, MINUTE } from "../core/time.ts";
import { Authority, Refusal } from "./authority.ts";
import type { Challenges } from "./challenges.ts";
import { obtain, type Pending } from "./obtain.ts";
import { adviceAt, advised, allowedAt, begun, concern, described, failed, soon, succeeded, wantedAt } from "./plan.ts";
import { type Advice, asking, heard, unheard } from "./renewal.ts";
import { type Certificate, CertificateStore, certificateIn, NEVER_TRIED, type Tried } from "./store.ts";

export interface KeeperOptions {
  readonly dataDir: string;
  readonly domains: readonly string[];
  readonly directory: string;
  readonly email: string;
  /** A file of certificates to trust besides the usual ones; "": none. */
  readonly caFile: string;
  readonly challenges: Challenges;
  /** The authority's question is answered from here on. Rejects with the reason why not. */
  readonly open: () => Promise<void>;
  /** New connections get what is stored for the domain from here on. */
  readonly use: (domain: string) => Promise<void>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** For the log. */
  readonly tell: (level: "info" | "warn" | "error", text: string, domain: string) => void;
}

interface Domain {
  readonly name: string;
  certificate: Certificate | undefined;
  tried: Tried;
  /** It is stored and not used yet. */
  unused: boolean;
  /** Somebody wants it now. */
  hurry: boolean;
  /** In a row, before anybody could be asked: the disk or our own port refused. */
  stuck: number;
  issued: number;
  failed: number;
}

/** Milliseconds for one certificate, from the order to the chain. */
const PATIENCE = 5 * MINUTE;
/** Milliseconds for its advice. */
const ADVICE_PATIENCE = 30_000;
/** The clock may be set, and the machine may sleep. */
const LOOKS_EVERY = HOUR;
/** After the disk or our own port refused: doubled each time, to an hour. */
const LOCAL_PAUSE = MINUTE;

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #store: CertificateStore;
  readonly #domains: Domain[] = [];
  readonly #stopped = new AbortController();
  #wake = new AbortController();
  #running = Promise.resolve();
  /** Why the authority's question cannot be answered, as told last. */
  #trouble = "";

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#store = new CertificateStore(options.dataDir);
  }

  /** Where key and chain of a domain are, once there are any. */
  file(domain: string): string {
    return this.#store.file(domain);
  }

  /** Reads what is stored, and asks for nothing yet. */
  async load(): Promise<void> {
    for (const name of this.#options.domains) {
      const certificate = await this.#store.certificate(name);
      const tried = await this.#store.tried(name);
      this.#domains.push({ name, certificate, tried, unused: false, hurry: false, stuck: 0, issued: 0, failed: 0 });
    }
  }

  /** From here on it asks. */
  start(): void {
    if (this.#domains.length > 0) this.#running = this.#run();
  }

  /** Whoever changed something wants to know now whether it helps. */
  hurry(): void {
    for (const domain of this.#domains) domain.hurry = true;
    this.#wake.abort();
  }

  /** Cuts off what is under way; the next start goes on with it. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wake.abort();
    await this.#running;
  }

  /** Why clients are refused, one sentence for each domain. */
  outages(): readonly string[] {
    const now = this.#options.now();
    return this.#domains
      .filter(({ certificate, tried }) => concern(certificate, tried, now) === "outage")
      .map(({ name, certificate, tried }) => described(name, certificate, tried, now));
  }

  /** Since the start, by domain. */
  counts(): readonly { readonly domain: string; readonly issued: number; readonly failed: number }[] {
    return this.#domains.map(({ name, issued, failed }) => ({ domain: name, issued, failed }));
  }

  async #run(): Promise<void> {
    const { now } = this.#options;
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController();
      await this.#open();
      for (const domain of this.#domains) {
        if (this.#stopped.signal.aborted) return;
        if (domain.unused) await this.#use(domain);
        await this.#advise(domain);
        const isDue = this.#dueAt(domain) <= now();
        domain.hurry = false;
        if (isDue) await this.#attempt(domain);
      }
      const next = Math.min(
        ...this.#domains.map((domain) => (domain.unused ? now() + LOCAL_PAUSE : this.#dueAt(domain))),
        ...this.#domains.map(({ certificate, tried }) => adviceAt(certificate, tried, this.#options.directory, now())),
      );
      const pause = Math.max(1000, Math.min(LOOKS_EVERY, next - now()));
      await wait(pause, undefined, { signal: this.#wake.signal }).catch(() => {});
    }
  }

  /** Also while nothing is asked for: browsers are led to the encrypted port from there. */
  async #open(): Promise<void> {
    const trouble = await this.#options.open().then(() => "", messageOf);
    if (trouble !== "" && trouble !== this.#trouble)
      for (const { name } of this.#domains)
        this.#options.tell("warn", `no authority can see that ${name} is ours: ${trouble}`, name);
    this.#trouble = trouble;
  }

  #dueAt({ certificate, tried, hurry }: Domain): number {
    const { directory, now } = this.#options;
    return Math.max(wantedAt(certificate, tried, directory, now()), allowedAt(tried, now(), hurry));
  }

  /** Asks the authority when it wants the certificate to be renewed. Whatever goes wrong, the plan without advice holds. */
  async #advise(domain: Domain): Promise<void> {
    const { directory, now, tell } = this.#options;
    const { name, certificate } = domain;
    if (certificate?.id === undefined || adviceAt(certificate, domain.tried, directory, now()) > now()) return;
    const asked = asking(domain.tried.advice, certificate.id, now());
    const keep = (advice: Advice) => this.#note(domain, { ...domain.tried, advice });
    try {
      await keep(asked);
      const told = await this.#asked(certificate.id);
      const advice = heard(asked, told?.value, told?.retryAfter ?? 0, now(), Math.random());
      const { window } = advice;
      await keep(advice);
      if (window === undefined || window.at === asked.window?.at) return;
      const why = told?.value.explanation === undefined ? "" : `: see ${told.value.explanation}`;
      const at = wantedAt(certificate, domain.tried, directory, now());
      tell("info", `${new URL(directory).host} advises when to renew ${name}${why}; renewed ${soon(at - now())}`, name);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      await keep(unheard(asked, error instanceof Refusal ? error.retryAfter : 0, now())).catch(() => {});
      if (asked.failures === 1) tell("info", `no advice on when to renew ${name}: ${messageOf(error)}`, name);
    }
  }

  async #asked(id: string): ReturnType<Authority["advice"]> {
    const late = AbortSignal.timeout(ADVICE_PATIENCE);
    const authority = await this.#authority(AbortSignal.any([this.#stopped.signal, late]));
    try {
      return await authority.advice(id);
    } catch (error) {
      if (late.aborted) throw new Refusal(`the authority has not answered within ${ADVICE_PATIENCE / 1000} s`);
      throw error;
    } finally {
      await authority.close();
    }
  }

  async #authority(signal: AbortSignal): Promise<Authority> {
    const { directory, email, caFile } = this.#options;
    return new Authority({
      directory,
      email,
      key: await this.#store.account(directory),
      signal,
      ...(caFile === "" ? {} : { ca: readFileSync(caFile, "utf8") }),
    });
  }

  async #attempt(domain: Domain): Promise<void> {
    const { directory, now, tell } = this.#options;
    const { name } = domain;
    try {
      if (this.#trouble !== "") throw new Refusal(this.#trouble);
      // Nobody is asked before it is on disk that somebody was: a process that ends again and again asks no more often.
      await this.#note(domain, begun(domain.tried, directory, now(), Math.random()));
      domain.stuck = 0;
    } catch (error) {
      const pause = Math.min(HOUR, LOCAL_PAUSE * 2 ** domain.stuck++);
      domain.tried = { ...domain.tried, reason: messageOf(error), next: now() + pause };
      this.#tellFailure(domain);
      return;
    }
    tell("info", `asking ${new URL(directory).host} for a certificate for ${name}`, name);
    try {
      const pem = await this.#obtained(domain);
      const certificate = certificateIn(pem, name);
      if (certificate === undefined) throw new Refusal("what the authority issued does not fit the domain and the key");
      await this.#store.putCertificate(name, pem);
      domain.certificate = certificate;
      domain.issued++;
      await this.#note(domain, succeeded(domain.tried, now())).catch(() => {}); // told by the next that is to be stored
      const renewal = wantedAt(certificate, domain.tried, directory, now());
      tell("info", `${described(name, certificate, NEVER_TRIED, now())}; renewed ${soon(renewal - now())}`, name);
      await this.#use(domain);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      const [kind, retryAfter] = error instanceof Refusal ? [error.kind, error.retryAfter] : ["", 0];
      await this.#note(domain, failed(domain.tried, advised(messageOf(error), kind), retryAfter, now())).catch(
        () => {},
      );
      this.#tellFailure(domain);
    }
  }

  async #obtained(domain: Domain): Promise<string> {
    const { directory, challenges } = this.#options;
    const late = AbortSignal.timeout(PATIENCE);
    const signal = AbortSignal.any([this.#stopped.signal, late]);
    const authority = await this.#authority(signal);
    try {
      const { chain, key } = await obtain({
        authority,
        challenges,
        domain: domain.name,
        replaces: domain.tried.issuer === directory ? domain.certificate?.id : undefined,
        pending: domain.tried.pending,
        keep: (pending) => this.#keep(domain, pending),
        signal,
      });
      return `${key.trimEnd()}\n${chain}`;
    } catch (error) {
      if (late.aborted) throw new Refusal(`the authority has not decided within ${PATIENCE / MINUTE} min`);
      throw error;
    } finally {
      await authority.close();
    }
  }

  #keep(domain: Domain, pending: Pending | undefined): Promise<void> {
    const { pending: _former, ...rest } = domain.tried;
    return this.#note(domain, pending === undefined ? rest : { ...rest, pending });
  }

  /** Rejects when it is not on disk; it holds in memory all the same. */
  async #note(domain: Domain, tried: Tried): Promise<void> {
    domain.tried = tried;
    await this.#store.putTried(domain.name, tried);
  }

  async #use(domain: Domain): Promise<void> {
    try {
      await this.#options.use(domain.name);
      domain.unused = false;
    } catch (error) {
      domain.unused = true;
      this.#options.tell(
        "error",
        `the new certificate of ${domain.name} is not used: ${messageOf(error)}`,
        domain.name,
      );
    }
  }

  #tellFailure(domain: Domain): void {
    const { name, certificate, tried } = domain;
    const now = this.#options.now();
    domain.failed++;
    const level = concern(certificate, tried, now) === "outage" ? "error" : "warn";
    this.#options.tell(level, described(name, certificate, tried, now), name);
  }
}

/** Without paths: whoever asks whether the server is ready is told it. */
function messageOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return (error instanceof Refusal ? undefined : systemTrouble(code, "the directory of certificates")) ?? message;
}
