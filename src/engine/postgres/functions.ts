// Functions for the customer's own transactions: a push or a notification that is committed with his data, or not at all. README.md,
// "From your own transactions", says what is promised.
//
// What they take is checked at once and lies in `outgoing` until the transaction commits: a deferred trigger then does what a turn of a node
// does, at its end: jobs, then packets. So rows of channels are locked no longer than a commit takes, and the order of a channel is
// that of the commits. Rules are those of api/params.ts and core/notification.ts; test/engine/postgres-sql.test.ts holds them together.
import { DAY } from "../../core/time.ts";

/** As in `parcels.ts` and `carrier.ts`. */
const LONGEST_ITEM = 7800;
const LONGEST_TEXT = 7820;

/** @param perTurn what a turn's packets may have */
export const functions = (perTurn: number): string => `
  -- What a node was started with that the functions check: the lengths of ids and topics, bytes of a message, how much is kept.
  ALTER TABLE meta ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

  -- Of transactions that are not over. told: the channel as JSON. job: a notification's row, instead of a packet.
  CREATE UNLOGGED TABLE outgoing (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    channel text COLLATE "C",
    told text,
    id text,
    body text,
    expires bigint,
    job jsonb
  );
  CREATE INDEX outgoing_by_tx ON outgoing (tx, n);

  SELECT set_config('search_path', current_schema() || ', pg_temp', true);

  CREATE FUNCTION sql_limit(_name text, _default bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT (limits ->> _name)::bigint FROM meta), _default)
  $$;

  CREATE FUNCTION sql_refuse(_message text) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION USING MESSAGE = _message, ERRCODE = 'invalid_parameter_value';
  END $$;

  CREATE FUNCTION sql_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
  $$;

  -- 12 alphanumerics.
  CREATE FUNCTION sql_id() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(substr('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', get_byte(bytes, at) % 62 + 1, 1), '')
    FROM (SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) AS bytes) r,
         unnest(ARRAY[0, 1, 2, 3, 4, 5, 16, 17, 18, 19, 20, 21]) AS at
  $$;

  -- Characters as the API counts them: those beyond U+FFFF twice.
  CREATE FUNCTION sql_length(_text text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT length(_text) + CASE WHEN octet_length(_text) < 4 THEN 0 ELSE length(regexp_replace(_text, '[^\\U00010000-\\U0010FFFF]', '', 'g')) END
  $$;

  -- As texts are stored: database.ts.
  CREATE FUNCTION sql_stored(_text text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT replace(_text, U&'\\0001', U&'\\0001\\0001') $$;

  -- As JSON. PostgreSQL's text cannot hold U+0000, JSON can say it.
  CREATE FUNCTION sql_told(_stored text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN strpos(_stored, U&'\\0001') = 0 THEN to_json(_stored)::text ELSE (
      SELECT string_agg(replace(part, '\\u00010', '\\u0000'), '\\u0001' ORDER BY at)
      FROM regexp_split_to_table(to_json(_stored)::text, '\\\\u0001\\\\u0001') WITH ORDINALITY AS r(part, at)) END
  $$;

  CREATE FUNCTION sql_depth(_json text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(max(depth), 0) FROM (
      SELECT sum(CASE WHEN c IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY at) AS depth
      FROM regexp_split_to_table(regexp_replace(regexp_replace(_json, '"([^"\\\\]|\\\\.)*"', '', 'g'), '[^][{}]', '', 'g'), '')
        WITH ORDINALITY AS r(c, at)) d
  $$;

  -- JSON text of a value: text must be JSON, anything else is made JSON.
  CREATE FUNCTION sql_json(_function text, _name text, _value anyelement, _deepest int) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    body text;
    most bigint := sql_limit('body', 8000000);
  BEGIN
    IF _value::text IS NULL THEN
      PERFORM sql_refuse(format('%s: %s is required', _function, _name));
    END IF;
    IF pg_typeof(_value) IN ('json'::regtype, 'jsonb'::regtype) THEN
      body := _value::text;
    ELSIF pg_typeof(_value) IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'unknown'::regtype) THEN
      body := _value::text;
      BEGIN
        PERFORM body::json;
      EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
        PERFORM sql_refuse(format('%s: %s is not JSON: %s', _function, _name, left(body, 100)));
      END;
    ELSE
      body := to_json(_value)::text;
    END IF;
    IF octet_length(body) > most THEN
      PERFORM sql_refuse(format('%s: %s has %s bytes: at most %s (api.max_body)', _function, _name, octet_length(body), most));
    END IF;
    IF length(body) > 2 * _deepest AND length(regexp_replace(body, '[^[{]', '', 'g')) > _deepest AND sql_depth(body) > _deepest THEN
      PERFORM sql_refuse(format('%s: %s is nested deeper than %s levels', _function, _name, _deepest));
    END IF;
    RETURN translate(body, E'\\r\\n', '  ');
  END $$;

  -- Without those that are null or empty, each once, in their order.
  CREATE FUNCTION sql_ids(_function text, _name text, _one text, _many text[]) RETURNS text[] LANGUAGE plpgsql AS $$
  DECLARE
    ids text[];
    most bigint := sql_limit('id', 256);
    long text;
  BEGIN
    IF nullif(_one, '') IS NULL AND _many IS NULL THEN RETURN NULL; END IF;
    SELECT coalesce(array_agg(id ORDER BY at), '{}') INTO ids FROM (
      SELECT id, min(at) AS at FROM unnest(array_prepend(_one, _many)) WITH ORDINALITY AS r(id, at) WHERE id <> '' GROUP BY id) r;
    SELECT id INTO long FROM unnest(ids) AS id WHERE octet_length(id) > most AND sql_length(id) > most LIMIT 1;
    IF long IS NOT NULL THEN
      PERFORM sql_refuse(format('%s: %s is longer than %s characters', _function, _name, most));
    END IF;
    RETURN ids;
  END $$;

  CREATE FUNCTION sql_ttl(_function text, _ttl bigint) RETURNS bigint LANGUAGE plpgsql AS $$
  BEGIN
    IF _ttl < 0 OR _ttl > 1000000000000000 THEN
      PERFORM sql_refuse(format('%s: ttl must be a number of milliseconds, 0 (not kept) to 1e15', _function));
    END IF;
    RETURN coalesce(_ttl, 0);
  END $$;

  -- /api/push: to a topic, devices or users, each connection once. @returns the packet's id
  CREATE FUNCTION push(
    topic text DEFAULT NULL, json anycompatible DEFAULT NULL::text, ttl bigint DEFAULT 0,
    push_id text DEFAULT NULL, uid text DEFAULT NULL, push_ids text[] DEFAULT NULL, uids text[] DEFAULT NULL
  ) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  #variable_conflict use_variable
  DECLARE
    name text := nullif(push.topic, '');
    devices_of text[] := sql_ids('push', 'push_id', push.push_id, push.push_ids);
    users_of text[] := sql_ids('push', 'uid', push.uid, push.uids);
    life bigint := sql_ttl('push', push.ttl);
    made text := sql_id();
    now bigint := sql_now();
    body text;
    until bigint;
  BEGIN
    IF num_nonnulls(name, devices_of, users_of) = 0 THEN
      PERFORM sql_refuse('push: topic, push_id or uid is required');
    ELSIF num_nonnulls(name, devices_of, users_of) > 1 THEN
      PERFORM sql_refuse('push: give one of topic, push_id (or push_ids) and uid (or uids)');
    ELSIF name IS NOT NULL AND sql_length(name) > sql_limit('topic', 256) THEN
      PERFORM sql_refuse(format('push: topic is longer than %s characters', sql_limit('topic', 256)));
    END IF;
    body := sql_json('push', 'json', push.json, 1000);
    until := CASE WHEN life > 0 THEN now + life ELSE 0 END;
    IF users_of IS NOT NULL AND life > 0 THEN
      -- Kept for the devices that are bound to them now.
      INSERT INTO outgoing (channel, told, id, body, expires)
      SELECT 'd:' || d.push_id, sql_told('d:' || d.push_id), made, body, until
      FROM unnest(users_of) WITH ORDINALITY AS u(uid, at) JOIN devices d ON d.uid = sql_stored(u.uid)
      WHERE d.uid_ttl = 0 OR d.offline_since IS NULL OR d.offline_since + d.uid_ttl > now
        OR EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id)
      ORDER BY u.at, d.device;
    ELSE
      INSERT INTO outgoing (channel, told, id, body, expires)
      SELECT sql_stored(channel), to_json(channel)::text, made, body, until
      FROM (SELECT 't:' || name AS channel, 0 AS at WHERE name IS NOT NULL
        UNION ALL SELECT 'd:' || id, at FROM unnest(devices_of) WITH ORDINALITY AS d(id, at)
        UNION ALL SELECT 'u:' || id, at FROM unnest(users_of) WITH ORDINALITY AS u(id, at)) r ORDER BY at;
    END IF;
    RETURN made;
  END $$;

  CREATE FUNCTION sql_text(_name text, _value jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
  BEGIN
    IF coalesce(jsonb_typeof(_value), 'null') = 'null' THEN RETURN NULL; END IF;
    IF jsonb_typeof(_value) NOT IN ('string', 'number') THEN PERFORM sql_refuse(format('notification.%s must be a string', _name)); END IF;
    RETURN to_jsonb(_value #>> '{}');
  END $$;

  CREATE FUNCTION sql_object(_name text, _value jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
  BEGIN
    IF coalesce(jsonb_typeof(_value), 'null') = 'null' THEN RETURN NULL; END IF;
    IF jsonb_typeof(_value) <> 'object' THEN PERFORM sql_refuse(format('notification.%s must be a JSON object', _name)); END IF;
    RETURN _value;
  END $$;

  -- null: there is nothing to see in it.
  CREATE FUNCTION sql_alert(_alert jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    shows boolean := false;
    field text;
    words jsonb;
  BEGIN
    IF coalesce(jsonb_typeof(_alert), 'null') = 'null' OR _alert = '""' THEN RETURN NULL; END IF;
    IF jsonb_typeof(_alert) IN ('string', 'number') THEN RETURN to_jsonb(_alert #>> '{}'); END IF;
    IF jsonb_typeof(_alert) <> 'object' THEN PERFORM sql_refuse('notification.apn.alert must be a string or an object'); END IF;
    FOREACH field IN ARRAY ARRAY['title', 'subtitle', 'body', 'loc-key', 'title-loc-key', 'subtitle-loc-key', 'launch-image'] LOOP
      words := sql_text('apn.alert.' || field, _alert -> field);
      IF words IS NULL THEN CONTINUE; END IF;
      _alert := _alert || jsonb_build_object(field, words);
      shows := shows OR (field <> 'launch-image' AND words <> '""');
    END LOOP;
    RETURN CASE WHEN shows THEN _alert END;
  END $$;

  CREATE FUNCTION sql_apple(_apn jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    words jsonb;
    badge jsonb := _apn -> 'badge';
    sound jsonb := _apn -> 'sound';
    has_badge boolean;
  BEGIN
    words := sql_alert(_apn -> 'alert');
    IF jsonb_typeof(badge) = 'string' AND badge #>> '{}' ~ '^\\d{1,9}$' THEN badge := to_jsonb((badge #>> '{}')::bigint); END IF;
    has_badge := coalesce(jsonb_typeof(badge), 'null') <> 'null' AND badge <> '""';
    IF has_badge AND (jsonb_typeof(badge) <> 'number' OR (badge #>> '{}')::numeric < 0
        OR (badge #>> '{}')::numeric > 9007199254740991 OR (badge #>> '{}')::numeric % 1 <> 0) THEN
      PERFORM sql_refuse('notification.apn.badge must be a whole number');
    END IF;
    IF coalesce(jsonb_typeof(sound), 'null') NOT IN ('null', 'string', 'object') THEN
      PERFORM sql_refuse('notification.apn.sound must be a string or an object');
    END IF;
    IF words IS NULL AND coalesce(jsonb_typeof(_apn -> 'alert'), 'null') <> 'null' AND NOT has_badge THEN
      PERFORM sql_refuse('notification.apn.alert is empty: give a text, or leave it out');
    END IF;
    RETURN (_apn - ARRAY['alert', 'badge', 'sound', 'payload'])
      || CASE WHEN words IS NULL THEN '{}' ELSE jsonb_build_object('alert', words) END
      || CASE WHEN has_badge THEN jsonb_build_object('badge', badge) ELSE '{}' END
      || CASE WHEN jsonb_typeof(sound) IN ('string', 'object') THEN jsonb_build_object('sound', sound) ELSE '{}' END;
  END $$;

  -- In the form that everything inside relies on (core/notification.ts).
  CREATE FUNCTION sql_content(_given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    android jsonb;
    apn jsonb;
    payload jsonb;
    content jsonb;
    misplaced text;
  BEGIN
    IF jsonb_typeof(_given) <> 'object' THEN PERFORM sql_refuse('notification must be a JSON object'); END IF;
    android := coalesce(sql_object('android', _given -> 'android'), '{}');
    payload := coalesce(sql_object('payload', _given -> 'payload'), sql_object('android.payload', android -> 'payload'), '{}');
    android := (android - ARRAY['title', 'message', 'payload'])
      || jsonb_strip_nulls(jsonb_build_object(
        'title', sql_text('android.title', android -> 'title'), 'message', sql_text('android.message', android -> 'message')))
      || jsonb_build_object('payload', payload);
    apn := sql_object('apn', _given -> 'apn');
    IF apn IS NOT NULL THEN apn := sql_apple(apn); END IF;
    content := (_given - ARRAY['android', 'payload', 'apn']) || jsonb_build_object('android', android)
      || CASE WHEN apn IS NULL THEN '{}' ELSE jsonb_build_object('apn', apn) END;
    IF coalesce(android ->> 'title', '') = '' AND coalesce(android ->> 'message', '') = '' AND payload = '{}'
        AND NOT (apn IS NOT NULL AND (apn ?| ARRAY['alert', 'badge', 'content-available']
          OR coalesce(jsonb_typeof(content -> 'vendors') = 'object' AND content -> 'vendors' ? 'apns', false))) THEN
      SELECT string_agg(name, ' and ') INTO misplaced FROM unnest(ARRAY['title', 'message', 'body', 'alert']) AS name WHERE content ? name;
      PERFORM sql_refuse('notification has nothing to show: give android.title for Android and browsers, apn.alert for Apple'
        || coalesce(' (' || misplaced || ' at its top is read by nobody)', ''));
    END IF;
    RETURN content;
  END $$;

  CREATE FUNCTION sql_notify(
    _function text, _notification text, _target jsonb, _ids int, _ttl bigint, _type text, _send_at timestamptz, _rate int,
    _start text, _less text, _greater text
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    now bigint := sql_now();
    start bigint := floor(extract(epoch FROM _send_at) * 1000);
    life bigint := sql_ttl(_function, _ttl);
    most bigint := sql_limit('id', 256);
    content jsonb;
    id text;
    words text;
    kind text := nullif(_type, '');
    target jsonb := _target;
    note jsonb;
  BEGIN
    IF sql_length(kind) > most THEN PERFORM sql_refuse(format('%s: type is longer than %s characters', _function, most)); END IF;
    IF start > now + ${366 * DAY} THEN PERFORM sql_refuse(format('%s: send_at is more than a year away', _function)); END IF;
    IF _rate < 0 OR _rate > 1000000 THEN
      PERFORM sql_refuse(format('%s: rate must be a whole number from 0 to 1000000', _function));
    END IF;
    content := sql_content(_notification::jsonb);
    IF coalesce(jsonb_typeof(content -> 'id'), 'null') NOT IN ('null', 'string', 'number') THEN
      PERFORM sql_refuse('notification.id must be a string');
    END IF;
    id := coalesce(nullif(content ->> 'id', ''), sql_id());
    IF sql_length(id) > most THEN PERFORM sql_refuse(format('notification.id is longer than %s characters', most)); END IF;
    IF start <= now THEN start := NULL; END IF;
    IF nullif(_start, '') IS NOT NULL AND coalesce(nullif(_less, ''), nullif(_greater, '')) IS NOT NULL AND target ->> 'kind' <> 'all' THEN
      target := target || jsonb_build_object('filter', jsonb_strip_nulls(jsonb_build_object(
        'start', _start, 'lessThan', nullif(_less, ''), 'greaterThan', nullif(_greater, ''))));
    END IF;
    kind := coalesce(kind, CASE target ->> 'kind' WHEN 'all' THEN 'pushAll' ELSE 'pushMany' END);
    SELECT candidate #>> '{}' INTO words FROM unnest(ARRAY[content -> 'message', content #> '{apn,alert,body}', content #> '{apn,alert}',
      content #> '{apn,alert,title}', content #> '{android,message}']) WITH ORDINALITY AS r(candidate, at)
      WHERE jsonb_typeof(candidate) = 'string' AND candidate <> '""' ORDER BY at LIMIT 1;
    note := jsonb_strip_nulls(jsonb_build_object('id', id, 'timeToLive', life, 'type', kind, 'acceptedAt', now, 'sendAt', start,
      'callerAddress', 'sql:' || session_user)) || jsonb_build_object('content', content);
    INSERT INTO outgoing (id, job) VALUES (id, jsonb_build_object(
      'type', kind, 'text', coalesce(words, ''), 'ttl', life, 'accepted', now, 'start', start, 'caller', 'sql:' || session_user,
      'expires', coalesce(start, now) + CASE WHEN life > 0 THEN life ELSE 600000 END,
      'drop', coalesce(start, now) + sql_limit('arrivalDays', 30) * ${DAY}, 'kind', target ->> 'kind',
      'bulk', CASE WHEN _ids <= 1000 THEN 0 ELSE 1 END, 'rate', nullif(_rate, 0),
      'listed', CASE WHEN target ->> 'kind' IN ('all', 'tag') OR start IS NOT NULL OR nullif(_rate, 0) IS NOT NULL THEN 1 ELSE 0 END,
      'note', note::text, 'target', target::text));
    RETURN id;
  END $$;

  -- /api/notification, to devices or users. @returns its id
  CREATE FUNCTION notify(
    notification anycompatible, push_id text DEFAULT NULL, uid text DEFAULT NULL, ttl bigint DEFAULT 0, type text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, rate int DEFAULT 0, push_ids text[] DEFAULT NULL, uids text[] DEFAULT NULL,
    tag_start text DEFAULT NULL, tag_less_than text DEFAULT NULL, tag_greater_than text DEFAULT NULL
  ) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  #variable_conflict use_variable
  DECLARE
    devices_of text[] := sql_ids('notify', 'push_id', notify.push_id, notify.push_ids);
    users_of text[] := sql_ids('notify', 'uid', notify.uid, notify.uids);
    body text := sql_json('notify', 'notification', notify.notification, 64);
    target jsonb;
  BEGIN
    IF num_nonnulls(devices_of, users_of) = 0 THEN
      PERFORM sql_refuse('notify: push_id or uid is required; notify_all reaches a tag, or everybody');
    ELSIF num_nonnulls(devices_of, users_of) > 1 THEN
      PERFORM sql_refuse('notify: give one of push_id (or push_ids) and uid (or uids)');
    END IF;
    target := CASE WHEN users_of IS NULL THEN jsonb_build_object('kind', 'pushIds', 'pushIds', devices_of)
      ELSE jsonb_build_object('kind', 'uids', 'uids', users_of) END;
    RETURN sql_notify('notify', body, target, cardinality(coalesce(users_of, devices_of)), notify.ttl, notify.type, notify.send_at,
      notify.rate, notify.tag_start, notify.tag_less_than, notify.tag_greater_than);
  END $$;

  -- The same to a tag, or to everybody: a right of its own.
  CREATE FUNCTION notify_all(
    notification anycompatible, tag text DEFAULT NULL, push_all boolean DEFAULT false, ttl bigint DEFAULT 0, type text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, rate int DEFAULT 0,
    tag_start text DEFAULT NULL, tag_less_than text DEFAULT NULL, tag_greater_than text DEFAULT NULL
  ) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  #variable_conflict use_variable
  DECLARE
    body text := sql_json('notify_all', 'notification', notify_all.notification, 64);
    label text := nullif(notify_all.tag, '');
  BEGIN
    IF (label IS NOT NULL) = coalesce(notify_all.push_all, false) THEN
      PERFORM sql_refuse('notify_all: give tag, or push_all => true');
    ELSIF sql_length(label) > sql_limit('id', 256) THEN
      PERFORM sql_refuse(format('notify_all: tag is longer than %s characters', sql_limit('id', 256)));
    END IF;
    RETURN sql_notify('notify_all', body,
      CASE WHEN label IS NULL THEN jsonb_build_object('kind', 'all') ELSE jsonb_build_object('kind', 'tag', 'tag', label) END,
      1001, notify_all.ttl, notify_all.type, notify_all.send_at, notify_all.rate, notify_all.tag_start, notify_all.tag_less_than,
      notify_all.tag_greater_than);
  END $$;

  -- How many packets a channel keeps: engine/keep.ts.
  CREATE FUNCTION sql_keep(_channel text) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT coalesce((
      SELECT (one ->> 1)::int FROM meta, jsonb_array_elements(limits #> '{keep,prefixes}') AS one
      WHERE left(_channel, 2) = 't:' AND starts_with(substr(_channel, 3), one ->> 0) ORDER BY length(one ->> 0) DESC LIMIT 1),
      (SELECT (limits #>> '{keep,default}')::int FROM meta), 20)
  $$;

  -- At the end of a transaction: jobs as jobs.ts accepts them, then packets as packets.ts writes those of a turn.
  CREATE FUNCTION sql_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  DECLARE
    _topic text := 'pushbox_' || current_schema();
    _one record;
    _all record;
    _texts text[];
    _text text;
    _item text;
    _body bigint;
  BEGIN
    IF NOT EXISTS (SELECT 1 FROM outgoing WHERE tx = pg_current_xact_id()) THEN RETURN NULL; END IF;
    FOR _one IN SELECT n, id, job FROM outgoing WHERE tx = pg_current_xact_id() AND job IS NOT NULL ORDER BY n LOOP
      WITH arrival AS (
        INSERT INTO arrivals AS a (id, type, text, ttl, time_start, caller_address, drop_at)
        VALUES (sql_stored(_one.id), sql_stored(_one.job ->> 'type'), sql_stored(_one.job ->> 'text'), (_one.job -> 'ttl')::bigint,
          coalesce((_one.job ->> 'start')::bigint, (_one.job -> 'accepted')::bigint), sql_stored(_one.job ->> 'caller'),
          (_one.job -> 'drop')::bigint)
        ON CONFLICT (id) DO UPDATE SET drop_at = greatest(a.drop_at, excluded.drop_at)
        RETURNING arrival),
      made AS (
        INSERT INTO jobs (arrival, id, type, text, target_kind, bulk, listed, rate, accepted_at, send_at, expires, due)
        SELECT arrival, sql_stored(_one.id), sql_stored(_one.job ->> 'type'), sql_stored(_one.job ->> 'text'), _one.job ->> 'kind',
               (_one.job -> 'bulk')::int, (_one.job -> 'listed')::int, (_one.job ->> 'rate')::bigint, (_one.job -> 'accepted')::bigint,
               (_one.job ->> 'start')::bigint, (_one.job -> 'expires')::bigint,
               coalesce((_one.job ->> 'start')::bigint, (_one.job -> 'accepted')::bigint)
        FROM arrival RETURNING job)
      INSERT INTO job_contents (job, notification, target) SELECT job, _one.job ->> 'note', _one.job ->> 'target' FROM made;
      DELETE FROM outgoing WHERE n = _one.n;
      PERFORM pg_notify(_topic, 'n0.0.0|["accepted",null]');
    END LOOP;
    LOOP
      WITH taken AS (
        DELETE FROM outgoing WHERE n IN (SELECT n FROM outgoing WHERE tx = pg_current_xact_id() ORDER BY n LIMIT ${perTurn})
        RETURNING n, channel, told, id, body, expires),
      kept AS (
        SELECT n, channel, id, body, expires, (row_number() OVER (ORDER BY n) - 1)::int AS off FROM taken
        WHERE expires > 0 AND left(channel, 2) <> 'u:'),
      placed AS (
        SELECT *, (row_number() OVER w)::int AS nth, coalesce(lag(off) OVER w, 0) AS prev, max(expires) OVER w AS drop_at FROM kept
        WINDOW w AS (PARTITION BY channel ORDER BY n)),
      named AS (
        SELECT channel, (row_number() OVER (ORDER BY channel))::int AS at, count(*)::int AS total, sql_keep(channel) AS keep,
               max(off) AS last, max(expires) AS drop_at
        FROM kept GROUP BY channel),
      channels_of AS (
        SELECT array_agg(channel ORDER BY at) AS names, array_agg(total ORDER BY at) AS totals, array_agg(keep ORDER BY at) AS keeps,
               array_agg(last ORDER BY at) AS lasts, array_agg(drop_at ORDER BY at) AS drops FROM named),
      rows_of AS (
        SELECT array_agg(c.at ORDER BY p.n) AS ats, array_agg(p.nth ORDER BY p.n) AS nths, array_agg(p.off ORDER BY p.n) AS offs,
               array_agg(p.prev ORDER BY p.n) AS prevs, array_agg(p.id ORDER BY p.n) AS ids, array_agg('p'::text ORDER BY p.n) AS events,
               array_agg(p.body ORDER BY p.n) AS bodies, array_agg(p.expires ORDER BY p.n) AS ends, array_agg(p.drop_at ORDER BY p.n) AS drop_ats
        FROM placed p JOIN named c ON c.channel = p.channel WHERE p.nth > c.total - c.keep),
      told_of AS (
        SELECT array_agg(format('[%s,%s,"p",%s,%s,', coalesce(k.off, -1), t.told, to_json(t.id), t.expires) ORDER BY t.n) AS heads,
               array_agg(t.body ORDER BY t.n) AS texts
        FROM taken t LEFT JOIN kept k ON k.n = t.n)
      SELECT * INTO _all FROM channels_of, rows_of, told_of;
      EXIT WHEN _all.heads IS NULL;
      _texts := '{}';
      _text := '';
      FOR i IN 1 .. cardinality(_all.heads) LOOP
        _item := _all.heads[i] || to_json(_all.texts[i]) || ']';
        IF octet_length(_item) > ${LONGEST_ITEM} THEN
          INSERT INTO large_bodies (body) VALUES (_all.texts[i]) RETURNING body_id INTO _body;
          _item := _all.heads[i] || _body || ']';
        END IF;
        IF _text <> '' AND octet_length(_text) + octet_length(_item) > ${LONGEST_TEXT} THEN
          _texts := _texts || _text;
          _text := '';
        END IF;
        _text := _text || CASE WHEN _text = '' THEN '' ELSE ',' END || _item;
      END LOOP;
      _texts := _texts || _text;
      PERFORM append(coalesce(_all.names, '{}'), coalesce(_all.totals, '{}'), coalesce(_all.keeps, '{}'), coalesce(_all.lasts, '{}'),
        coalesce(_all.drops, '{}'), coalesce(_all.ats, '{}'), coalesce(_all.nths, '{}'), coalesce(_all.offs, '{}'),
        coalesce(_all.prevs, '{}'), coalesce(_all.ids, '{}'), coalesce(_all.events, '{}'), coalesce(_all.bodies, '{}'),
        coalesce(_all.ends, '{}'), coalesce(_all.drop_ats, '{}'), _topic,
        ARRAY(SELECT 'k0.0.' || at || '|' FROM generate_series(0, cardinality(_texts) - 1) AS at ORDER BY at),
        ARRAY(SELECT '|[' || told || ']' FROM unnest(_texts) WITH ORDINALITY AS r(told, at) ORDER BY at));
    END LOOP;
    RETURN NULL;
  END $$;

  CREATE CONSTRAINT TRIGGER commits AFTER INSERT ON outgoing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sql_commit();
  REVOKE ALL ON FUNCTION push, notify, notify_all, sql_commit FROM PUBLIC;
`;

/** Lists name a notification that has nothing but a title by it. */
export const namedByTitle = `
  DO $$
  BEGIN
    EXECUTE replace(pg_get_functiondef('sql_notify'::regproc),
      $text$content #> '{android,message}'$text$, $text$content #> '{android,message}', content #> '{android,title}'$text$);
  END $$;
`;
