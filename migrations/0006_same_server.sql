-- Which server the rows lie on. Empty and 0 where its operator does not let a database ask.
CREATE FUNCTION current_server(OUT system_identifier text, OUT timeline integer) LANGUAGE plpgsql AS $$
BEGIN
  SELECT c.system_identifier::text INTO current_server.system_identifier FROM pg_control_system() c;
  current_server.timeline := ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer;
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
  current_server.system_identifier := '';
  current_server.timeline := 0;
END $$;
--> statement-breakpoint
-- Refuses to give out ids on a server that is not the one last seen: they may have been given out before.
-- Class 57 is what clients take for a database that cannot be used now. Names its schema: a restore sets no search path.
DO $do$ BEGIN
  EXECUTE format($sql$
    CREATE FUNCTION require_same_server() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      seen record;
    BEGIN
      SELECT i.system_identifier, i.timeline INTO seen FROM %I.database_identity i;
      IF seen.timeline <> 0 THEN
        IF seen.timeline <> ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
          OR seen.system_identifier <> (pg_control_system()).system_identifier::text
        THEN
          RAISE EXCEPTION 'this database is a promoted or restored copy that no server has looked at yet' USING ERRCODE = '57S01';
        END IF;
      END IF;
      RETURN NULL;
    END $$
  $sql$, current_schema());
END $do$;
--> statement-breakpoint
CREATE TRIGGER same_server BEFORE INSERT ON transitions FOR EACH STATEMENT EXECUTE FUNCTION require_same_server();
--> statement-breakpoint
CREATE TRIGGER same_server BEFORE INSERT ON rooms FOR EACH STATEMENT EXECUTE FUNCTION require_same_server();
--> statement-breakpoint
CREATE TRIGGER same_server BEFORE INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION require_same_server();
--> statement-breakpoint
CREATE TRIGGER same_server BEFORE INSERT ON tokens FOR EACH STATEMENT EXECUTE FUNCTION require_same_server();
--> statement-breakpoint
CREATE TRIGGER same_server BEFORE INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION require_same_server();
