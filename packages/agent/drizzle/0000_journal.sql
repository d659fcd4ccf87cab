CREATE TABLE `attempts` (
	`task_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`launch_id` text NOT NULL,
	`claimed_at` integer NOT NULL,
	`started_at` integer,
	`ended_at` integer,
	`boot_id` text NOT NULL,
	`pid` integer,
	`start_ticks` text,
	`workspace` text,
	`outcome` text,
	`output_bytes` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`task_id`, `attempt`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY NOT NULL,
	`chain` text NOT NULL,
	`task_id` text NOT NULL,
	`at` integer NOT NULL,
	`json` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `events_task` ON `events` (`task_id`,`seq`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`status` text NOT NULL,
	`queue` text NOT NULL,
	`priority` integer NOT NULL,
	`created_seq` integer NOT NULL,
	`seq` integer NOT NULL,
	`session_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`concurrency_key` text,
	`not_before_at` integer,
	`charged` integer DEFAULT 0 NOT NULL,
	`uncharged` integer DEFAULT 0 NOT NULL,
	`search` text NOT NULL,
	`submit_hash` text NOT NULL,
	`env` text,
	`task` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `tasks_queued` ON `tasks` (`queue`,"priority" desc,`created_seq`) WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX `tasks_live` ON `tasks` (`created_seq`) WHERE status in ('starting', 'running');--> statement-breakpoint
CREATE INDEX `tasks_busy_key` ON `tasks` (`concurrency_key`) WHERE status in ('starting', 'running') and concurrency_key is not null;--> statement-breakpoint
CREATE INDEX `tasks_not_before` ON `tasks` (`not_before_at`) WHERE status = 'queued' and not_before_at is not null;--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_seq`);--> statement-breakpoint
CREATE INDEX `tasks_session` ON `tasks` (`session_id`,`created_seq`);--> statement-breakpoint
CREATE INDEX `tasks_ended` ON `tasks` (`seq`) WHERE status in ('completed', 'failed', 'cancelled');