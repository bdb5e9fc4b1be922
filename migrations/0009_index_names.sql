-- An index is renamed under SHARE UPDATE EXCLUSIVE, which stops no reader and no writer.
ALTER INDEX "messages_unburied" RENAME TO "messages_deletion_pending";--> statement-breakpoint
ALTER INDEX "rooms_unburied" RENAME TO "rooms_deletion_pending";--> statement-breakpoint
ALTER INDEX "users_unburied" RENAME TO "users_deletion_pending";
