CREATE TABLE "database_identity" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"system_identifier" text NOT NULL,
	"timeline" integer NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"held_since" timestamp (3) with time zone,
	CONSTRAINT "database_identity_only" CHECK ("database_identity"."only")
);
--> statement-breakpoint
ALTER TABLE "attachments" ADD COLUMN "link_version" integer DEFAULT 0 NOT NULL;