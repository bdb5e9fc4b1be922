CREATE TABLE "scrubs" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "scrubs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"whole" bigint NOT NULL,
	"damaged" bigint NOT NULL,
	"missing" bigint NOT NULL,
	"orphaned" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "attachments" ADD COLUMN "request_id" text;--> statement-breakpoint
ALTER TABLE "objects" ADD COLUMN "scrubbed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "objects" ADD COLUMN "damage" text;--> statement-breakpoint
CREATE INDEX "attachments_request" ON "attachments" USING btree ("request_id") WHERE "attachments"."state" <> 'ReadyForDownloadFromServerToClient';--> statement-breakpoint
CREATE INDEX "objects_damaged" ON "objects" USING btree ("key") WHERE "objects"."damage" is not null;--> statement-breakpoint
CREATE INDEX "rooms_deleted" ON "rooms" USING btree ("deleted_at") WHERE "rooms"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "users_deleted" ON "users" USING btree ("deleted_at") WHERE "users"."deleted_at" is not null;