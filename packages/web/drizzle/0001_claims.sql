ALTER TABLE `tasks` ADD `lease_expires_at` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `last_heartbeat_at` integer;