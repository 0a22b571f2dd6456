-- Roles, schemas and rights of the four services. Run in the system's database as a superuser; may be run again.
--
-- Per service: <service>_owner owns the schema and migrates; <service> runs it and may do what migrations leave
-- it. Nobody has rights on another's schema. The auditor reads everything and writes nothing.
-- Passwords here equal the names: right for a machine of one's own only; deployments set theirs afterwards.

DO $$
DECLARE
    service text;
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'auditor') THEN
        CREATE ROLE auditor LOGIN PASSWORD 'auditor' NOINHERIT;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO auditor', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;

    FOREACH service IN ARRAY ARRAY['enrollment', 'clubs', 'wallet', 'notifications'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service || '_owner') THEN
            EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', service || '_owner', service || '_owner');
        END IF;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
            EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L NOINHERIT', service, service);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), service, service || '_owner');
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, service || '_owner');
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', service);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, auditor', service, service);
        EXECUTE format('ALTER ROLE %I SET search_path = %I', service, service);
        EXECUTE format('ALTER ROLE %I SET search_path = %I', service || '_owner', service);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
            service || '_owner', service, service
        );
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I, auditor',
            service || '_owner', service, service
        );
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO auditor',
            service || '_owner', service
        );
    END LOOP;
END
$$;
