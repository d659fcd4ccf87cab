CREATE TABLE `claims` (
	`task_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`claim_id` text NOT NULL,
	`token` text NOT NULL,
	`worker` text NOT NULL,
	`lease_ms` integer NOT NULL,
	`lease_expires_at` integer NOT NULL,
	`last_heartbeat_at` integer NOT NULL,
	`progress` text,
	`last_word` text,
	PRIMARY KEY(`task_id`, `attempt`)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `claims_claim_id_unique` ON `claims` (`claim_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `claims_token_unique` ON `claims` (`token`);--> statement-breakpoint
CREATE INDEX `claims_worker` ON `claims` (`worker`);