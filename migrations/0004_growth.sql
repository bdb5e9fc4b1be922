DROP INDEX "attachments_uploader_id";--> statement-breakpoint
DROP INDEX "messages_deleted";--> statement-breakpoint
DROP INDEX "objects_purge_at";--> statement-breakpoint
DROP INDEX "rooms_deleted";--> statement-breakpoint
DROP INDEX "sessions_user_id";--> statement-breakpoint
DROP INDEX "users_deleted";--> statement-breakpoint
DROP INDEX "attachments_deleted";--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "buried_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "objects" ADD COLUMN "purge_failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "objects" ADD COLUMN "purge_later" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "rooms" ADD COLUMN "buried_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "buried_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "attachments_uploader" ON "attachments" USING btree ("uploader_id","id") WHERE "attachments"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "attachments_awaiting_since" ON "attachments" USING btree ("modified_at","id") WHERE "attachments"."deleted_at" is null and "attachments"."state" in ('Initial', 'ChecksumCalculationOnClientSideInProgress', 'ChecksumCalculationOnClientSideFailed', 'UploadFromClientToServerFailed', 'ChecksumVerificationOnServerSideMismatch', 'ChecksumVerificationOnServerSideFailed');--> statement-breakpoint
CREATE INDEX "attachments_awaiting_of" ON "attachments" USING btree ("uploader_id") WHERE "attachments"."deleted_at" is null and "attachments"."state" in ('Initial', 'ChecksumCalculationOnClientSideInProgress', 'ChecksumCalculationOnClientSideFailed', 'UploadFromClientToServerFailed', 'ChecksumVerificationOnServerSideMismatch', 'ChecksumVerificationOnServerSideFailed');--> statement-breakpoint
CREATE INDEX "messages_unburied" ON "messages" USING btree ("deleted_at") WHERE "messages"."deleted_at" is not null and "messages"."buried_at" is null;--> statement-breakpoint
CREATE INDEX "objects_purge" ON "objects" USING btree ("purge_later","purge_at") WHERE "objects"."purge_at" is not null;--> statement-breakpoint
CREATE INDEX "rooms_unburied" ON "rooms" USING btree ("deleted_at") WHERE "rooms"."deleted_at" is not null and "rooms"."buried_at" is null;--> statement-breakpoint
CREATE INDEX "sessions_token" ON "sessions" USING btree ("token_id","revoked_at","id") WHERE "sessions"."token_id" is not null;--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id","revoked_at","id") WHERE "sessions"."token_id" is null;--> statement-breakpoint
CREATE INDEX "sessions_end" ON "sessions" USING btree (least("expires_at", "revoked_at"));--> statement-breakpoint
CREATE INDEX "tokens_end" ON "tokens" USING btree (least("expires_at", "revoked_at"));--> statement-breakpoint
CREATE INDEX "transitions_ends" ON "transitions" USING btree ("id") WHERE "transitions"."to" in ('ChecksumCalculationOnClientSideFailed', 'UploadFromClientToServerFailed', 'ChecksumVerificationOnServerSideMismatch', 'ChecksumVerificationOnServerSideFailed');--> statement-breakpoint
CREATE INDEX "users_unburied" ON "users" USING btree ("deleted_at") WHERE "users"."deleted_at" is not null and "users"."buried_at" is null;--> statement-breakpoint
CREATE INDEX "attachments_deleted" ON "attachments" USING btree ("deleted_at","id") WHERE "attachments"."deleted_at" is not null;