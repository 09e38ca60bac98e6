// The Debian package: Policy 4.7. Made from bytes alone, so neither root nor dpkg is needed.
import { ar, digest, directory, type Entry, gzip, parents, tar, text } from "./archive.ts";

export interface Debian {
  readonly version: string;
  readonly architecture: "amd64" | "arm64";
  /** Seconds since 1970. */
  readonly time: number;
  readonly executable: Uint8Array;
  readonly unit: string;
  readonly config: string;
  /** README.md and what it leads to, each with its path. */
  readonly pages: readonly (readonly [path: string, text: string])[];
  /** Of pushbox and of everything in it. */
  readonly licences: string;
}

const CONFIG = "/etc/pushbox/pushbox.toml";
const DATA = "/var/lib/pushbox";

export async function debian(release: Debian): Promise<Buffer> {
  const { time } = release;
  const files: readonly Entry[] = [
    // Read by everybody until the package's own script gives it to its group: it holds no secret yet.
    text(`.${CONFIG}`, release.config),
    { name: "./usr/bin/pushbox", mode: 0o755, bytes: release.executable },
    text("./usr/lib/systemd/system/pushbox.service", release.unit),
    ...release.pages.map(([path, page]) => text(`./usr/share/doc/pushbox/${path}`, page)),
    text("./usr/share/doc/pushbox/copyright", release.licences),
  ];
  const size = Math.ceil(files.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1024);
  const sums = files.map(({ name, bytes }) => `${digest("md5", bytes)}  ${name.slice(2)}\n`);
  const [control, data] = await Promise.all([
    gzip(
      tar(
        [
          directory("./"),
          text("./conffiles", `${CONFIG}\n`),
          text("./control", fields(release, size)),
          text("./md5sums", sums.join("")),
          text("./postinst", postinst, 0o755),
          text("./postrm", postrm, 0o755),
          text("./prerm", prerm, 0o755),
        ],
        time,
      ),
    ),
    gzip(tar([...parents(files).map(directory), ...files], time)),
  ]);
  return ar(
    [
      { name: "debian-binary", bytes: Buffer.from("2.0\n") },
      { name: "control.tar.gz", bytes: control },
      { name: "data.tar.gz", bytes: data },
    ],
    time,
  );
}

const fields = ({ version, architecture }: Debian, size: number): string => `Package: pushbox
Version: ${version}
Architecture: ${architecture}
Maintainer: The pushbox authors <pushbox@localhost>
Installed-Size: ${size}
Depends: libc6 (>= 2.34), libgcc-s1, libstdc++6 (>= 11), adduser, init-system-helpers
Section: net
Priority: optional
Description: self-hosted push server in one executable
 Apps and pages stay connected over Socket.IO; a backend pushes to them with
 one HTTP call. Messages with a time to live are stored and replayed, and
 notifications reach phones and browsers through the push services of their
 makers, from a queue that survives a crash.
`;

// What debhelper would generate for one unit and one user, in the words of its snippets.

const postinst = `#!/bin/sh
set -e
case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
  if ! getent passwd pushbox > /dev/null; then
    adduser --system --group --quiet --home ${DATA} --no-create-home --gecos "pushbox" pushbox
  fi
  # Keys will be written into it. Another owner that the administrator chose stays.
  if [ -e ${CONFIG} ] && [ "$(stat -c %U:%G ${CONFIG})" = root:root ]; then
    chown root:pushbox ${CONFIG}
    chmod 640 ${CONFIG}
  fi
  deb-systemd-helper unmask pushbox.service > /dev/null || true
  if deb-systemd-helper --quiet was-enabled pushbox.service; then
    deb-systemd-helper enable pushbox.service > /dev/null || true
  else
    deb-systemd-helper update-state pushbox.service > /dev/null || true
  fi
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload > /dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    deb-systemd-invoke $action pushbox.service > /dev/null || true
  fi
  ;;
esac
`;

// An upgrade leaves it running: the new one takes over when it is in place.
const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop pushbox.service > /dev/null || true
fi
`;

// The data outlives a removal, and ends with a purge. The user stays: files elsewhere may be its own.
const postrm = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload > /dev/null || true
fi
if [ -x /usr/bin/deb-systemd-helper ]; then
  if [ "$1" = remove ]; then deb-systemd-helper mask pushbox.service > /dev/null || true; fi
  if [ "$1" = purge ]; then
    deb-systemd-helper purge pushbox.service > /dev/null || true
    deb-systemd-helper unmask pushbox.service > /dev/null || true
  fi
fi
if [ "$1" = purge ]; then
  rm -rf ${DATA}
  rmdir --ignore-fail-on-non-empty /etc/pushbox 2> /dev/null || true
fi
`;
