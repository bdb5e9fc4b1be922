CREATE SEQUENCE "public"."ready_positions" INCREMENT BY 1 MINVALUE 1099511627776 MAXVALUE 9007199254740991 START WITH 1099511627776 CACHE 1;--> statement-breakpoint
ALTER TABLE "attachments" ADD COLUMN "ready_position" bigint;--> statement-breakpoint
CREATE INDEX "attachments_listed" ON "attachments" USING btree ("room_id",coalesce("ready_position", "id")) WHERE "attachments"."deleted_at" is null and "attachments"."state" = 'ReadyForDownloadFromServerToClient';--> statement-breakpoint
-- A fifth of a large table is too much to leave behind before it is looked after.
ALTER TABLE "attachments" SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "objects" SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "transitions" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "sessions" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
