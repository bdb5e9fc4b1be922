DROP INDEX "attachments_message_id";--> statement-breakpoint
CREATE INDEX "attachments_message_id" ON "attachments" USING btree ("message_id","deleted_at","id");