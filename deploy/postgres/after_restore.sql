-- After a restore that lost something, before any process starts: put versions above all that were ever told.
--
-- Kafka, and whoever else was told, may know versions that the restored rows have not reached yet. A projection
-- would ignore the owner's next changes. Owners and projections alike are lifted, by the seconds since 1970: so
-- what the lost life told is old news everywhere, and what owners tell again (`republish`) is not.
--
-- The wallet is told, too: it notices another cluster by itself, but not a disk that was put back as it once was.
-- As a superuser: psql -v ON_ERROR_STOP=1 -f deploy/postgres/after_restore.sql

DO $$
DECLARE
    lifted record;
    lift bigint := extract(epoch FROM clock_timestamp());
BEGIN
    FOR lifted IN
        SELECT c.table_schema, c.table_name FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema IN ('enrollment', 'clubs', 'wallet', 'notifications')
            AND t.table_type = 'BASE TABLE' AND c.column_name = 'version' AND c.data_type = 'bigint'
            -- counts of locks and writes, which nobody is told
            AND (c.table_schema, c.table_name) NOT IN
                (('wallet', 'accounts'), ('wallet', 'wallets'), ('wallet', 'payable_items'))
        ORDER BY 1, 2
    LOOP
        EXECUTE format(
            'UPDATE %I.%I SET version = version + %s', lifted.table_schema, lifted.table_name, lift
        );
    END LOOP;
END
$$;

INSERT INTO wallet.recoveries (id, cluster, since, began_at, ended_at)
SELECT uuidv7(), 'before the restore', now(), now(), now() WHERE NOT EXISTS (SELECT FROM wallet.recoveries);
UPDATE wallet.recoveries SET cluster = 'before the restore';
