// The command `serve`: its flags and log. How the server runs is in serve/run.ts.
import { toldSupervisor } from "../app/supervisor.ts";
import { version } from "../app/version.ts";
import { type Cli, configured, everything, failed, readEverything } from "./command.ts";

export function addServe(cli: Cli): void {
  const { host } = cli;
  configured(cli, "serve", "start the server", everything, async ({ config, origins, warnings }, given) => {
    // Not before they are needed: the other commands load neither the log nor the network's addon.
    const { createLog } = await import("../app/log.ts");
    const { log, flushNow, close } = createLog(config.logLevel, host.descriptors, { text: host.terminal });
    host.onCrash((error) => {
      log.fatal({ err: error }, "a bug ended pushbox");
      flushNow();
      return failed;
    });
    const supervisor = toldSupervisor(host.env, (text) => log.warn(text));
    const { serve } = await import("./serve/run.ts");
    const code = await serve({
      version,
      config,
      warnings,
      log,
      supervisor,
      origins,
      reread: () => readEverything(given),
      onSignal: host.onSignal,
    });
    await close();
    return code;
  }).addHelpText(
    "after",
    `
Examples:
  pushbox serve
  pushbox serve --config /etc/pushbox.toml --log-level warn
  pushbox serve --client-port 443 --client-tls-cert chain.pem --client-tls-key key.pem
  pushbox serve --client-port 443 --client-domain push.example.com --acme-accept-terms   https by naming a domain, whose port 80 leads here
  pushbox serve --api-host 0.0.0.0 --api-keys "backend:$(openssl rand -hex 24)"

Signals: TERM or INT stop the server within 10 s, a second one at once. HUP reads certificates, keys and log level again
without dropping a connection. Where systemd asks (Type=notify, WatchdogSec=), it is told by systemd-notify when the server is
ready, stops, and still turns.`,
  );
}
