-- Renewing a lease changes no column of this index. Built before the other one goes, which locks out readers.
CREATE INDEX "attachments_leased" ON "attachments" USING btree ("state") WHERE "attachments"."deleted_at" is null and "attachments"."state" in ('UploadFromClientToServerInProgress', 'ChecksumVerificationOnServerSideInProgress');--> statement-breakpoint
DROP INDEX "attachments_lease";--> statement-breakpoint
ALTER TABLE "messages" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "members" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "rooms" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "users" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "tokens" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
