// The tables of the database file, and how a newer pushbox brings an older file up to date. file.ts opens it.

/** Entry n brings a file from format n to n + 1. Only ever appended to. */
export const MIGRATIONS: readonly string[] = [
  `
  -- Numbers that are never given twice, also after the row that had the highest is gone.
  CREATE TABLE sequences (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO sequences (name, value) VALUES ('bound', 0), ('seq', 0);

  -- One row per start of the server. A device that was online in one run is offline since the start of the next.
  CREATE TABLE runs (run INTEGER PRIMARY KEY, started INTEGER NOT NULL);

  -- tags: JSON, in the client's order. bound: orders the devices of a uid by the time of their binding.
  -- online_run, offline_since: kept only for a binding that ends, uid_ttl > 0; one of the two is set.
  -- sent_seq: the newest packet of the device's own channel that was sent to one of its connections.
  CREATE TABLE devices (
    device INTEGER PRIMARY KEY,
    push_id TEXT NOT NULL UNIQUE,
    uid TEXT,
    bound INTEGER NOT NULL DEFAULT 0,
    uid_ttl INTEGER NOT NULL DEFAULT 0,
    online_run INTEGER,
    offline_since INTEGER,
    platform TEXT,
    tags TEXT,
    type TEXT,
    token TEXT,
    package TEXT,
    sent_seq INTEGER NOT NULL DEFAULT 0,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL
  );
  CREATE INDEX devices_by_uid ON devices (uid) WHERE uid IS NOT NULL;
  CREATE INDEX devices_by_token ON devices (token, type, package) WHERE token IS NOT NULL;
  CREATE TABLE device_tags (tag TEXT NOT NULL, device INTEGER NOT NULL, PRIMARY KEY (tag, device)) WITHOUT ROWID;

  -- place: counts a channel's packets; those further than N behind the newest are dropped.
  -- drop_at: never earlier than that of the packet before, so a cursor outlives every older packet of its channel.
  CREATE TABLE packets (
    seq INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    expires INTEGER NOT NULL,
    drop_at INTEGER NOT NULL
  );
  CREATE INDEX packets_by_channel ON packets (channel, place);
  CREATE INDEX packets_by_drop ON packets (drop_at);

  -- Accepted notifications until their last page of devices is expanded. One id may be used for several.
  CREATE TABLE notifications (
    job INTEGER PRIMARY KEY AUTOINCREMENT,
    arrival INTEGER NOT NULL,
    notification TEXT NOT NULL,
    cursor TEXT
  );

  -- Statistics of notifications, by id.
  CREATE TABLE arrivals (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    text TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    time_start INTEGER NOT NULL,
    caller_address TEXT NOT NULL,
    drop_at INTEGER NOT NULL
  );
  CREATE INDEX arrivals_by_type ON arrivals (type, arrival);
  CREATE INDEX arrivals_by_drop ON arrivals (drop_at);
  CREATE TABLE arrival_counts (
    count INTEGER PRIMARY KEY,
    arrival INTEGER NOT NULL,
    counter TEXT NOT NULL,
    total INTEGER NOT NULL,
    UNIQUE (arrival, counter)
  );
  -- Who has reported what: each device counts once per counter.
  CREATE TABLE arrival_evidence (count INTEGER NOT NULL, push_id TEXT NOT NULL, PRIMARY KEY (count, push_id)) WITHOUT ROWID;
  -- The devices and users of a notification, page by page as it was expanded (JSON), and the way back from each.
  CREATE TABLE arrival_pages (
    page INTEGER PRIMARY KEY,
    arrival INTEGER NOT NULL,
    push_ids TEXT NOT NULL,
    uids TEXT NOT NULL
  );
  CREATE INDEX arrival_pages_by_arrival ON arrival_pages (arrival, page);
  CREATE TABLE arrival_push_ids (push_id TEXT NOT NULL, arrival INTEGER NOT NULL, PRIMARY KEY (push_id, arrival)) WITHOUT ROWID;
  CREATE TABLE arrival_uids (uid TEXT NOT NULL, arrival INTEGER NOT NULL, PRIMARY KEY (uid, arrival)) WITHOUT ROWID;

  CREATE TABLE hours (
    key TEXT NOT NULL,
    hour INTEGER NOT NULL,
    total INTEGER NOT NULL,
    success INTEGER NOT NULL,
    error INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    PRIMARY KEY (key, hour)
  ) WITHOUT ROWID;
  CREATE INDEX hours_by_hour ON hours (hour);
  `,
  `
  -- The token was stored, or last heard from its device, at token_time; NULL: not known, update_time then.
  -- A device's number is never given twice: deliveries keep it after the device is gone.
  ALTER TABLE devices ADD COLUMN token_time INTEGER;
  INSERT INTO sequences (name, value) SELECT 'device', coalesce(max(device), 0) FROM devices;

  -- One call of /api/notification. What changes often is kept apart from what is long.
  -- arrival: NULL for a dry run, which has a drop_at of its own. drop_at 0: it is being dropped. listed: shown without asking for the id.
  -- cursor, due: where the next page of devices starts, and from when it may be expanded.
  -- bulk: 0 for a list of at most 1,000, whose deliveries go first.
  -- holding: deliveries may be held back for it. walk: they are being resumed, cancelled or expired, up to this delivery.
  -- queued = waiting + accepted + the sum of its failures.
  CREATE TABLE jobs (
    job INTEGER PRIMARY KEY AUTOINCREMENT,
    arrival INTEGER,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    text TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    bulk INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    rate INTEGER,
    dry_run INTEGER NOT NULL DEFAULT 0,
    accepted_at INTEGER NOT NULL,
    send_at INTEGER,
    expires INTEGER NOT NULL,
    due INTEGER NOT NULL,
    cursor TEXT,
    expanded INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    holding INTEGER NOT NULL DEFAULT 0,
    walk INTEGER,
    seen INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    routes TEXT NOT NULL DEFAULT '{}',
    queued INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    drop_at INTEGER
  );
  CREATE INDEX jobs_by_id ON jobs (id);
  CREATE INDEX jobs_by_arrival ON jobs (arrival) WHERE arrival IS NOT NULL;
  CREATE INDEX jobs_to_expand ON jobs (due) WHERE expanded = 0 AND paused = 0 AND cancelled = 0;
  CREATE INDEX jobs_unfinished ON jobs (expires) WHERE finished_at IS NULL;
  CREATE INDEX jobs_listed ON jobs (listed) WHERE listed = 1;
  CREATE INDEX jobs_to_walk ON jobs (walk) WHERE walk IS NOT NULL;
  CREATE INDEX jobs_by_drop ON jobs (drop_at) WHERE drop_at IS NOT NULL;
  -- JSON. The target goes when it was expanded.
  CREATE TABLE job_contents (job INTEGER PRIMARY KEY, notification TEXT NOT NULL, target TEXT);
  CREATE TABLE job_failures (job INTEGER NOT NULL, reason TEXT NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (job, reason))
    WITHOUT ROWID;

  -- open: how many deliveries of the lane are not settled.
  CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    app TEXT NOT NULL,
    open INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, app)
  );

  -- Devices and users are numbers here: their names are spread over the whole of an index, which then is rewritten with every
  -- page of devices (27,000 rows/s instead of 280,000); the numbers of a page lie side by side.
  CREATE TABLE users (user INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE);
  -- Devices that are gone but had deliveries.
  CREATE TABLE departed (device INTEGER PRIMARY KEY, push_id TEXT NOT NULL);
  CREATE INDEX departed_by_push_id ON departed (push_id);

  -- One notification at one device. state: see state.ts. lane: NULL when it goes over the long connection only.
  -- due: from when it may be claimed, or until when it is leased; NULL when it is settled.
  -- token: goes with the settlement unless the vendor may still tell of it.
  CREATE TABLE deliveries (
    delivery INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    device INTEGER NOT NULL,
    user INTEGER,
    lane INTEGER,
    state INTEGER NOT NULL,
    bulk INTEGER NOT NULL,
    due INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    sent_at INTEGER,
    settled_at INTEGER,
    arrived_at INTEGER,
    clicked_at INTEGER,
    push_id TEXT NOT NULL,
    type TEXT,
    token TEXT,
    receipt TEXT,
    reason TEXT
  );
  CREATE INDEX deliveries_open ON deliveries (lane, state, bulk, due) WHERE due IS NOT NULL;
  CREATE INDEX deliveries_by_job ON deliveries (job);
  CREATE INDEX deliveries_by_device ON deliveries (device, job);
  CREATE INDEX deliveries_by_user ON deliveries (user, job) WHERE user IS NOT NULL;
  CREATE INDEX deliveries_by_receipt ON deliveries (receipt, token) WHERE receipt IS NOT NULL AND token IS NOT NULL;

  -- Calls that may be repeated. answer: NULL while the call is being made.
  CREATE TABLE calls (key TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, answer TEXT, drop_at INTEGER NOT NULL)
    WITHOUT ROWID;
  CREATE INDEX calls_by_drop ON calls (drop_at);

  ALTER TABLE arrival_evidence ADD COLUMN at INTEGER;

  -- What had been expanded becomes a finished job per notification, with one delivery per device. Of its users, those stay
  -- searchable who still have one of these devices: which device was whose was not kept.
  INSERT INTO jobs (arrival, id, type, text, target_kind, bulk, listed, accepted_at, expires, due, expanded, finished_at)
    SELECT arrival, id, type, text, CASE type WHEN 'pushAll' THEN 'all' ELSE 'pushIds' END, 1, 0, time_start,
           time_start + ttl, time_start, 1, time_start
    FROM arrivals WHERE arrival IN (SELECT arrival FROM arrival_pages) ORDER BY arrival;
  INSERT INTO departed (device, push_id)
    SELECT (SELECT value FROM sequences WHERE name = 'device') + row_number() OVER (ORDER BY push_id), push_id
    FROM (SELECT DISTINCT push_id FROM arrival_push_ids WHERE push_id NOT IN (SELECT push_id FROM devices));
  UPDATE sequences SET value = max(value, (SELECT coalesce(max(device), 0) FROM departed)) WHERE name = 'device';
  INSERT INTO users (uid) SELECT DISTINCT uid FROM arrival_uids;
  INSERT INTO deliveries (delivery, job, device, user, state, bulk, queued_at, sent_at, push_id)
    SELECT row_number() OVER (ORDER BY p.page, e.key), j.job, coalesce(d.device, g.device), u.user, 0, 1,
           j.accepted_at, j.accepted_at, e.value
    FROM arrival_pages p
      JOIN jobs j ON j.arrival = p.arrival
      JOIN json_each(p.push_ids) e
      LEFT JOIN devices d ON d.push_id = e.value
      LEFT JOIN departed g ON g.push_id = e.value
      LEFT JOIN arrival_uids s ON s.uid = d.uid AND s.arrival = p.arrival
      LEFT JOIN users u ON u.uid = s.uid;
  DELETE FROM users WHERE user NOT IN (SELECT user FROM deliveries WHERE user IS NOT NULL);
  INSERT INTO sequences (name, value) SELECT 'delivery', coalesce(max(delivery), 0) FROM deliveries;
  DROP TABLE arrival_pages;
  DROP TABLE arrival_push_ids;
  DROP TABLE arrival_uids;

  -- What was waiting is taken up where it was. Its time to live had been the device's alone.
  CREATE TEMP TABLE moved AS
    SELECT row_number() OVER (ORDER BY n.job) + (SELECT coalesce(max(job), 0) FROM jobs) AS job, n.arrival, n.notification,
           n.notification -> '$.target' AS target, n.cursor, a.id, a.type, a.text, a.time_start, a.ttl
    FROM notifications n JOIN arrivals a ON a.arrival = n.arrival;
  INSERT INTO jobs (job, arrival, id, type, text, target_kind, bulk, listed, accepted_at, expires, due, cursor)
    SELECT job, arrival, id, type, text, target ->> '$.kind',
           coalesce(json_array_length(target, '$.pushIds'), json_array_length(target, '$.uids'), 1001) > 1000,
           target ->> '$.kind' IN ('all', 'tag'), notification ->> '$.acceptedAt',
           (notification ->> '$.acceptedAt') + iif(ttl > 0, ttl, 600000), notification ->> '$.acceptedAt', cursor
    FROM moved;
  INSERT INTO job_contents (job, notification, target) SELECT job, json_remove(notification, '$.target'), target FROM moved;
  DROP TABLE moved;
  DROP TABLE notifications;
  `,
  `
  -- In the order they began, for asking vendors about those of a certain age.
  CREATE INDEX jobs_by_start ON jobs (coalesce(send_at, accepted_at)) WHERE arrival IS NOT NULL;
  `,
  `
  -- How many of its steps a call has made: a long push goes in several.
  ALTER TABLE calls ADD COLUMN pieces INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- By which way the provider reaches the token, where it is not the first: Apple's sandbox, another app.
  ALTER TABLE devices ADD COLUMN detour TEXT;
  CREATE INDEX devices_by_detour ON devices (push_id) WHERE detour IS NOT NULL;
  `,
  `
  -- Why deliveries of a notification failed. name: that of their way in the counters of arrival_counts.
  CREATE TABLE arrival_failures (
    arrival INTEGER NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (arrival, name, reason)
  ) WITHOUT ROWID;
  -- Lists are in the order in which notifications began, not in that of their acceptance.
  DROP INDEX arrivals_by_type;
  CREATE INDEX arrivals_by_type ON arrivals (type, time_start, arrival);
  `,
  `
  -- Devices that a connection took it for.
  ALTER TABLE jobs ADD COLUMN connected INTEGER NOT NULL DEFAULT 0;
  UPDATE jobs SET connected = coalesce(routes ->> '$.connection', 0);
  `,
  `
  -- Of a push that may be repeated: the id of its packets, and connections that it was handed to once that is known.
  ALTER TABLE calls ADD COLUMN packet TEXT;
  ALTER TABLE calls ADD COLUMN online INTEGER;
  `,
  `
  -- Devices that nothing but their pushId is known of, in the order in which they were last seen.
  CREATE INDEX devices_idle ON devices (update_time) WHERE uid IS NULL AND token IS NULL AND tags IS NULL;
  `,
  `
  -- last_seen: when it was last connected, to within ten minutes; NULL: it never was, or not since an older pushbox.
  -- token_history: JSON, the tokens it had before, the newest first.
  ALTER TABLE devices ADD COLUMN last_seen INTEGER;
  ALTER TABLE devices ADD COLUMN token_history TEXT;
  `,
  `
  -- Of a vendor whose devices choose the host, one lane for each; '': those of all others.
  ALTER TABLE lanes RENAME TO lanes_before;
  CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    app TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    open INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, app, host)
  );
  INSERT INTO lanes (lane, provider, app, open) SELECT lane, provider, app, open FROM lanes_before;
  DROP TABLE lanes_before;
  `,
  `
  -- One word for one thing.
  ALTER TABLE lanes RENAME COLUMN provider TO vendor;
  `,
  `
  -- One row. epoch: names the life of the log of packets, whose seqs begin anew in another one: see epoch.ts.
  CREATE TABLE log (epoch TEXT NOT NULL);
  INSERT INTO log (epoch) VALUES (lower(hex(randomblob(8))));
  `,
  `
  -- What business servers are told. time: when it was written. data: JSON.
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    time INTEGER NOT NULL,
    data TEXT NOT NULL
  );
  CREATE INDEX events_by_key ON events (key, seq);
  CREATE INDEX events_by_time ON events (time);
  INSERT INTO sequences (name, value) VALUES ('event', 0);

  -- An event that an endpoint is to be told. state: see hooks.ts. subject: of a state event, what it is about.
  -- due: from when it may be sent, or until when it is leased.
  CREATE TABLE hook_events (
    hook TEXT NOT NULL,
    seq INTEGER NOT NULL,
    key TEXT NOT NULL,
    subject TEXT,
    state INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    PRIMARY KEY (hook, seq)
  ) WITHOUT ROWID;
  CREATE INDEX hook_events_by_seq ON hook_events (seq);
  CREATE INDEX hook_events_by_key ON hook_events (hook, key, seq) WHERE state < 2;
  CREATE INDEX hook_events_by_subject ON hook_events (hook, subject) WHERE state = 0 AND subject IS NOT NULL;

  -- Who is connected, as far as somebody is told of it. run: the start of the server in which it last was.
  CREATE TABLE online (
    push_id TEXT NOT NULL PRIMARY KEY,
    uid TEXT,
    platform TEXT,
    since INTEGER NOT NULL,
    run INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE online_users (uid TEXT NOT NULL PRIMARY KEY, devices INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
  -- push_id '': connections that did not say which device they are.
  CREATE TABLE topic_members (
    push_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    since INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (push_id, topic)
  ) WITHOUT ROWID;
  CREATE TABLE topics_occupied (topic TEXT NOT NULL PRIMARY KEY, members INTEGER NOT NULL, since INTEGER NOT NULL)
    WITHOUT ROWID;

  -- Bindings in the order in which they end; and those of devices that were online when an earlier run ended.
  CREATE INDEX devices_by_end ON devices (offline_since + uid_ttl) WHERE uid_ttl > 0;
  CREATE INDEX devices_by_run ON devices (online_run) WHERE online_run IS NOT NULL;
  `,
  `
  -- size: bytes on the wire, about. Of each key only the oldest row has a due time at which it can be claimed.
  ALTER TABLE hook_events ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX hook_events_by_due ON hook_events (hook, due, seq) WHERE state = 0;
  CREATE INDEX hook_events_leased ON hook_events (hook) WHERE state = 1;
  CREATE INDEX hook_events_happened ON hook_events (seq) WHERE subject IS NULL;

  -- Events that an endpoint did not take in time, whole: the log forgets them. at: when they were given up.
  CREATE TABLE hook_dead (
    hook TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    subject TEXT,
    time INTEGER NOT NULL,
    data TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (hook, seq)
  ) WITHOUT ROWID;
  CREATE INDEX hook_dead_by_time ON hook_dead (at);

  -- Rows and bytes of the tables above, by hook; of the log itself under ''. dropped: those that there was no room for.
  CREATE TABLE hook_sums (
    hook TEXT NOT NULL PRIMARY KEY,
    waiting INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  INSERT INTO hook_sums (hook, waiting, size) SELECT '', count(*), ifnull(sum(length(key) + length(data)), 0) FROM events;
  INSERT INTO hook_sums (hook, waiting) SELECT hook, count(*) FROM hook_events GROUP BY hook;
  CREATE TRIGGER hook_waits AFTER INSERT ON hook_events BEGIN
    INSERT INTO hook_sums (hook, waiting, size) VALUES (new.hook, 1, new.size)
      ON CONFLICT DO UPDATE SET waiting = waiting + 1, size = size + new.size;
  END;
  CREATE TRIGGER hook_waits_no_more AFTER DELETE ON hook_events BEGIN
    UPDATE hook_sums SET waiting = waiting - 1, size = size - old.size WHERE hook = old.hook;
  END;
  CREATE TRIGGER hook_died AFTER INSERT ON hook_dead BEGIN
    UPDATE hook_sums SET dead = dead + 1, size = size + length(new.key) + length(new.data) WHERE hook = new.hook;
  END;
  CREATE TRIGGER hook_dead_no_more AFTER DELETE ON hook_dead BEGIN
    UPDATE hook_sums SET dead = dead - 1, size = size - length(old.key) - length(old.data) WHERE hook = old.hook;
  END;
  CREATE TRIGGER event_logged AFTER INSERT ON events BEGIN
    UPDATE hook_sums SET waiting = waiting + 1, size = size + length(new.key) + length(new.data) WHERE hook = '';
  END;
  CREATE TRIGGER event_logged_no_more AFTER DELETE ON events BEGIN
    UPDATE hook_sums SET waiting = waiting - 1, size = size - length(old.key) - length(old.data) WHERE hook = '';
  END;

  -- What senders and readers of events remember beyond a restart. text: JSON.
  CREATE TABLE hook_memory (name TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  -- previous: the seq of the channel's packet before, 0 when there was none; it tells whether one is missing in between.
  -- swept: the newest packet that was dropped because its time was over, of the channels that share a bucket: see packets.ts.
  ALTER TABLE packets ADD COLUMN previous INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE swept (bucket INTEGER PRIMARY KEY, seq INTEGER NOT NULL, channel TEXT NOT NULL, id TEXT NOT NULL);
  `,
  `
  -- Tokens of clients. kind: uid, of those issued before a time in milliseconds; or jti. drop_at: they have expired.
  CREATE TABLE revocations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    before INTEGER NOT NULL,
    drop_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) WITHOUT ROWID;
  CREATE INDEX revocations_by_drop ON revocations (drop_at);
  `,
  `
  -- retried: 1 when another job was made of a delivery that had failed.
  ALTER TABLE deliveries ADD COLUMN retried INTEGER;
  CREATE INDEX deliveries_failed ON deliveries (settled_at, delivery)
    WHERE state IN (5, 6, 7) AND settled_at IS NOT NULL AND retried IS NULL;
  `,
  `
  -- Calls to reach users have jobs.reach 1, and a row for each user. due: from when vendors may be asked; way and at: see reach.ts.
  ALTER TABLE jobs ADD COLUMN reach INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE reached (
    job INTEGER NOT NULL,
    user INTEGER NOT NULL,
    due INTEGER NOT NULL,
    way INTEGER NOT NULL,
    at INTEGER,
    PRIMARY KEY (job, user)
  ) WITHOUT ROWID;
  CREATE INDEX reached_by_user ON reached (user, due);
  `,
  `
  -- Imports that were begun: how far each is. source: names the file. report: JSON of whoever imports.
  CREATE TABLE imports (
    source TEXT NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    report TEXT NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Each event would rewrite a page of it somewhere; few ask for a key, and read through the log.
  DROP INDEX events_by_key;
  -- Lanes that are told of as stopped or paused. data: of the event.
  CREATE TABLE lanes_resting (key TEXT NOT NULL PRIMARY KEY, time INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  -- Who did what, and what came of it. what: JSON. request: by which the call is found in the log.
  CREATE TABLE audit (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    who TEXT,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    what TEXT NOT NULL,
    status INTEGER NOT NULL,
    message TEXT,
    request TEXT NOT NULL
  );
  CREATE INDEX audit_by_time ON audit (time);
  CREATE INDEX audit_by_who ON audit (who, entry);
  CREATE INDEX audit_by_action ON audit (action, entry);
  `,
  `
  -- The web console: who may use it, browsers that have logged in, links by which a password is set. id: a hash, of what the browser
  -- has or of the link's secret. password: salted and hashed. confirmed: until then the session may do what reaches far.
  CREATE TABLE admin_users (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    since INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE admin_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    began INTEGER NOT NULL,
    used INTEGER NOT NULL,
    confirmed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX admin_sessions_by_name ON admin_sessions (name, used);
  CREATE TABLE admin_links (
    id TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    name TEXT,
    role TEXT NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Devices that somebody tries things out on. who: the name of the key, or the user of the console; NULL: nobody in particular.
  CREATE TABLE test_devices (push_id TEXT NOT NULL PRIMARY KEY, note TEXT NOT NULL, who TEXT, at INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- Endpoints: what each takes (wanted: JSON, see hooks.ts), and up to where in the log nothing waits for it but rows of hook_events.
  CREATE TABLE hook_cursors (hook TEXT NOT NULL PRIMARY KEY, seq INTEGER NOT NULL, wanted TEXT NOT NULL) WITHOUT ROWID;
  -- Of '': up to where hook_sums counts the log.
  INSERT INTO hook_cursors (hook, seq, wanted) SELECT '', ifnull(max(seq), 0), '' FROM events;
  DROP TRIGGER event_logged;
  DROP TRIGGER event_logged_no_more;
  `,
  `
  -- 1: may not log in.
  ALTER TABLE admin_users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
  `,
];
