-- The record in Postgres with least rights: three roles, the tables, and exactly the rights that each
-- role needs. Run it as a superuser (or an administrator of a managed server) from a checkout, once
-- before the first start and again before each upgrade of the functions:
--
--   psql "postgres://postgres@db.internal/bellwire" --file deploy/postgres-roles.sql
--
-- It may be repeated, and run while the functions serve. It also takes over tables that functions with
-- more rights have made. Nobody can log in before you have given the roles a password or another way:
--
--   \password bellwire
--
-- | role              | for                             | may                                        |
-- |-------------------|---------------------------------|--------------------------------------------|
-- | bellwire_owner    | this file                       | owns schema, tables and functions; no login |
-- | bellwire          | the functions, postgres_url     | read and write rows, as listed below       |
-- | bellwire_backup   | pg_dump --schema=bellwire       | read the tables                            |
--
-- Cached resources with an SQL source run as bellwire, too: grant it SELECT on exactly the tables that
-- resources.toml reads, and USAGE on their schema.

\set ON_ERROR_STOP on
BEGIN;

DO $roles$
DECLARE role TEXT;
BEGIN
    FOREACH role IN ARRAY ARRAY['bellwire_owner', 'bellwire', 'bellwire_backup'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I %s', role,
                CASE role WHEN 'bellwire_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO bellwire_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO bellwire, bellwire_backup', current_database());
END $roles$;
GRANT bellwire_owner TO CURRENT_USER;

-- What functions with more rights have made becomes the owner's.
DO $own$
DECLARE thing RECORD;
BEGIN
    IF to_regnamespace('bellwire') IS NULL THEN RETURN; END IF;
    ALTER SCHEMA bellwire OWNER TO bellwire_owner;
    FOR thing IN SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = 'bellwire'::regnamespace AND relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO bellwire_owner', thing.name);
    END LOOP;
    FOR thing IN SELECT oid::regprocedure AS name FROM pg_proc
        WHERE pronamespace = 'bellwire'::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO bellwire_owner', thing.name);
    END LOOP;
END $own$;

-- The tables; each file skips what exists.
SET LOCAL ROLE bellwire_owner;
\ir ../functions/runtime/sql/postgres/001_init.sql
\ir ../functions/runtime/sql/postgres/002_create.sql
\ir ../functions/runtime/sql/postgres/003_tokens.sql
\ir ../functions/runtime/sql/postgres/004_erased_keys.sql
\ir ../functions/runtime/sql/postgres/005_write_check.sql
\ir ../functions/runtime/sql/postgres/006_devices.sql
\ir ../functions/runtime/sql/postgres/007_push_jobs.sql
\ir ../functions/runtime/sql/postgres/008_muted.sql
\ir ../functions/runtime/sql/postgres/009_create_many.sql
\ir ../functions/runtime/sql/postgres/010_import.sql

-- From nothing: a right that an earlier version needed goes away.
REVOKE ALL ON SCHEMA bellwire FROM PUBLIC, bellwire, bellwire_backup;
REVOKE ALL ON ALL TABLES IN SCHEMA bellwire FROM PUBLIC, bellwire, bellwire_backup;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bellwire FROM PUBLIC, bellwire, bellwire_backup;

GRANT USAGE ON SCHEMA bellwire TO bellwire, bellwire_backup;
GRANT SELECT, UPDATE ON bellwire.record, bellwire.write_check TO bellwire;
GRANT SELECT, INSERT, UPDATE ON bellwire.feed TO bellwire;
GRANT SELECT, INSERT, DELETE ON bellwire.erased_keys, bellwire.import_key TO bellwire;
GRANT SELECT, INSERT, UPDATE, DELETE ON bellwire.notifications, bellwire.push_token, bellwire.device,
    bellwire.preference, bellwire.push_job TO bellwire;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA bellwire TO bellwire;
GRANT SELECT ON ALL TABLES IN SCHEMA bellwire TO bellwire_backup;
RESET ROLE;
COMMIT;
