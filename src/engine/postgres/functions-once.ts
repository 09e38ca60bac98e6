// Idempotency keys for the functions of functions.ts, and what they do not take. The key is noted when the transaction commits, so that
// nobody waits for one that is open; the API's calls note theirs by the same function (once.ts).
import { DAY } from "../../core/time.ts";

/** What the API takes and these do not, as parameters: whoever gives one is told where it belongs. */
const API_ONLY = [
  ["quiet_hours", "text", "quietHours"],
  ["time_zone", "text", "timeZone"],
  ["dry_run", "boolean", "dryRun"],
] as const;

const parameters = API_ONLY.map(([name, type]) => `${name} ${type} DEFAULT NULL`).join(", ");

const refusals = (made: string): string =>
  API_ONLY.map(
    ([name, type, api]) => `
    IF ${type === "boolean" ? `${made}.${name}` : `nullif(${made}.${name}, '') IS NOT NULL`} THEN
      PERFORM sql_refuse('${made}: ${name} is the API''s alone: call /api/notification with ${api} after your commit');
    END IF;`,
  ).join("");

/** A function that makes the call of a key once. @param taken its parameters, as they are declared, and by their names */
const once = (name: string, taken: string, more: string, checks: string, packet: boolean): string => {
  const names = taken.split(/,\s*/).map((one) => one.trim().split(" ")[0]!);
  const given = names.map((one) => `${name}.${one}`).join(", ");
  const compared = names.map((one) =>
    one === "json" || one === "notification" ? `${name}.${one}::text` : `${name}.${one}`,
  );
  return `
  ALTER FUNCTION ${name} RENAME TO ${name}_1;
  -- Its body calls its parameters by its name.
  DO $$
  DECLARE
    made text := pg_get_functiondef('${name}_1'::regproc);
    body int := strpos(made, 'AS $function$');
  BEGIN
    EXECUTE left(made, body - 1) || regexp_replace(substr(made, body), '\\m${name}\\.', '${name}_1.', 'g');
  END $$;
  CREATE FUNCTION ${name}(${taken}, idempotency_key text DEFAULT NULL${more}) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  #variable_conflict use_variable
  DECLARE
    digest text;
    made text;
  BEGIN${checks}
    IF nullif(${name}.idempotency_key, '') IS NULL THEN RETURN ${name}_1(${given}); END IF;
    digest := encode(sha256(convert_to('sql ' || jsonb_build_array('${name}', ${compared.join(", ")})::text, 'UTF8')), 'hex');
    made := sql_known('${name}', ${name}.idempotency_key, digest);
    IF made IS NULL THEN
      made := ${name}_1(${given});
      INSERT INTO outgoing_keys (key, digest, answer, packet)
      VALUES (${name}.idempotency_key, digest, ${packet ? "'success', made" : "sql_stored(made), NULL"});
    END IF;
    RETURN made;
  END $$;
  REVOKE ALL ON FUNCTION ${name} FROM PUBLIC;`;
};

export const onceFunctions = `
  -- Keys of transactions that are not over.
  CREATE UNLOGGED TABLE outgoing_keys (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    key text COLLATE "C" NOT NULL,
    digest text NOT NULL,
    answer text NOT NULL,
    packet text
  );
  CREATE INDEX outgoing_keys_by_tx ON outgoing_keys (tx, key);

  SELECT set_config('search_path', current_schema() || ', pg_temp', true);

  -- Of a call that is being made: whoever else noted the key since it was looked for was first. It is another turn then, or transaction.
  CREATE FUNCTION note_call(_key text, _digest text, _pieces int, _answer text, _packet text, _drop_at bigint, _now bigint) RETURNS void
  LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO calls AS c (key, digest, pieces, answer, packet, drop_at) VALUES (_key, _digest, _pieces, _answer, _packet, _drop_at)
    ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, pieces = excluded.pieces, answer = excluded.answer,
      packet = excluded.packet, online = NULL, drop_at = excluded.drop_at WHERE c.drop_at <= _now;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'a call with this idempotency_key was made meanwhile: repeat the transaction' USING ERRCODE = 'serialization_failure';
    END IF;
  END $$;

  -- What was answered to the call of this key; null: it was not made yet.
  CREATE FUNCTION sql_known(_function text, _key text, _digest text) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    before record;
  BEGIN
    IF _key !~ '^[ -~]{1,255}$' THEN
      PERFORM sql_refuse(_function || ': idempotency_key must be 1 to 255 printable ASCII characters');
    END IF;
    SELECT digest, coalesce(packet, answer) AS answer INTO before FROM (
      SELECT digest, packet, answer FROM outgoing_keys WHERE tx = pg_current_xact_id_if_assigned() AND key = _key
      UNION ALL SELECT digest, packet, answer FROM calls WHERE key = _key AND drop_at > sql_now()) k LIMIT 1;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF before.digest <> _digest THEN
      PERFORM sql_refuse(_function || ': idempotency_key was used for a call that asked for something else: take a new key');
    END IF;
    RETURN replace(before.answer, U&'\\0001\\0001', U&'\\0001');
  END $$;

  CREATE FUNCTION sql_commit_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  BEGIN
    PERFORM note_call(NEW.key, NEW.digest, 1, NEW.answer, NEW.packet, sql_now() + ${DAY}, sql_now());
    DELETE FROM outgoing_keys WHERE n = NEW.n;
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER commits AFTER INSERT ON outgoing_keys DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION sql_commit_key();
  REVOKE ALL ON FUNCTION sql_commit_key FROM PUBLIC;
${once(
  "push",
  "topic text DEFAULT NULL, json anycompatible DEFAULT NULL::text, ttl bigint DEFAULT 0, push_id text DEFAULT NULL, uid text DEFAULT NULL, push_ids text[] DEFAULT NULL, uids text[] DEFAULT NULL",
  "",
  "",
  true,
)}
${once(
  "notify",
  "notification anycompatible, push_id text DEFAULT NULL, uid text DEFAULT NULL, ttl bigint DEFAULT 0, type text DEFAULT NULL, send_at timestamptz DEFAULT NULL, rate int DEFAULT 0, push_ids text[] DEFAULT NULL, uids text[] DEFAULT NULL, tag_start text DEFAULT NULL, tag_less_than text DEFAULT NULL, tag_greater_than text DEFAULT NULL",
  `, ${parameters}`,
  refusals("notify"),
  false,
)}
${once(
  "notify_all",
  "notification anycompatible, tag text DEFAULT NULL, push_all boolean DEFAULT false, ttl bigint DEFAULT 0, type text DEFAULT NULL, send_at timestamptz DEFAULT NULL, rate int DEFAULT 0, tag_start text DEFAULT NULL, tag_less_than text DEFAULT NULL, tag_greater_than text DEFAULT NULL",
  `, ${parameters}`,
  refusals("notify_all"),
  false,
)}

  -- Whoever might execute them before may still.
  DO $$
  DECLARE
    one record;
  BEGIN
    FOR one IN
      SELECT n.name, a.grantee, a.is_grantable FROM unnest(ARRAY['push', 'notify', 'notify_all']) AS n(name)
      JOIN pg_proc p ON p.proname = n.name || '_1' AND p.pronamespace = current_schema()::regnamespace
      CROSS JOIN LATERAL aclexplode(p.proacl) a WHERE a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner
    LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO %s%s', one.name,
        CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END,
        CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
  END $$;
`;
