// The systemd unit: what `pushbox init --systemd` prints, and what the packages hold.

export interface Place {
  /** The words that start pushbox, without a command. */
  readonly program: readonly string[];
  /** Its configuration: an absolute path. */
  readonly config: string;
  /** For several on one machine, `pushbox@a` and so on: `%i` in `config` is the name behind the sign. */
  readonly template?: true;
}

/** Of the words that start pushbox one that the unit hides from itself, by ProtectHome and PrivateTmp: systemd would say 203/EXEC. */
export const hiddenWord = (program: readonly string[]): string | undefined =>
  program.find((word) => /^\/(home|root|run\/user|tmp|var\/tmp)\//.test(word));

/** Settings that are seen from the data directory: `data` in the configuration is relative to it. */
export function systemdUnit({ program, config, template }: Place): string {
  const start = [...[...program, "serve", "--config"].map(word), template ? config : word(config)].join(" ");
  const state = template ? "pushbox-%i" : "pushbox";
  return `[Unit]
Description=pushbox, a push server
Wants=network-online.target
After=network-online.target

[Service]
# Started once clients can connect; systemd-notify, which the server starts, tells so: NotifyAccess.
Type=notify
NotifyAccess=all
# The first start of a new version may have a large database to bring up to date.
TimeoutStartSec=infinity
# A server that answers nobody for so long is started again.
WatchdogSec=60s
User=pushbox
Group=pushbox
ExecStart=${start}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
# A configuration with mistakes does not get better by itself.
RestartPreventExitStatus=2
# It stops by itself within 10 s.
TimeoutStopSec=15s

# /var/lib/${state}. Relative paths are seen from there: with the default the data is in /var/lib/${state}/pushbox-data.
# Elsewhere needs ReadWritePaths= of that place.
StateDirectory=${state}
StateDirectoryMode=0700
WorkingDirectory=%S/${state}
UMask=0077

# A connection is an open file.
LimitNOFILE=1000000

# Ports below 1024, and nothing else that root may.
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=true

# It reads what it is given, writes its data and a temporary file at start, and speaks IP. The temporary directory must not be
# noexec; where /tmp is, set Environment=TMPDIR=/var/lib/pushbox.
# MemoryDenyWriteExecute= is absent because V8 compiles while it runs.
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectProc=invisible
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
LockPersonality=true
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** A word as systemd reads it: `%` and `$` stand for something, white space ends a word. */
function word(text: string): string {
  const escaped = text.replace(/%/g, "%%").replace(/\$/g, "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, "\\$&")}"`;
}
