CREATE TABLE `agents` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`url` text NOT NULL,
	`removed` integer DEFAULT 0 NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	`epoch` text DEFAULT '' NOT NULL,
	`seq` integer DEFAULT 0 NOT NULL,
	`chain` text DEFAULT '' NOT NULL,
	`reach_seq` integer DEFAULT 0 NOT NULL,
	`reach_chain` text DEFAULT '' NOT NULL,
	`as_of` integer DEFAULT 0 NOT NULL,
	`version` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `agents_version` ON `agents` (`version`);--> statement-breakpoint
CREATE TABLE `events` (
	`agent_id` text NOT NULL,
	`generation` integer NOT NULL,
	`seq` integer NOT NULL,
	`task_id` text NOT NULL,
	`at` integer NOT NULL,
	`received_at` integer NOT NULL,
	`json` text NOT NULL,
	PRIMARY KEY(`agent_id`, `generation`, `seq`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `events_task` ON `events` (`task_id`,`generation`,`seq`);--> statement-breakpoint
CREATE TABLE `intents` (
	`ordinal` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`task_id` text NOT NULL,
	`action` text NOT NULL,
	`agent_id` text,
	`body` text NOT NULL,
	`created_at` integer NOT NULL,
	`sent_at` integer,
	`sent_generation` integer,
	`tries` integer DEFAULT 0 NOT NULL,
	`last_error` text
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `intents_id` ON `intents` (`id`);--> statement-breakpoint
CREATE INDEX `intents_task` ON `intents` (`task_id`,`ordinal`);--> statement-breakpoint
CREATE TABLE `knowledge` (
	`row` integer PRIMARY KEY NOT NULL,
	`task_id` text NOT NULL,
	`reason` text NOT NULL,
	`last_status` text NOT NULL,
	`as_of` integer NOT NULL,
	`since` integer NOT NULL,
	`resolved_at` integer,
	`resolved_to` text
) STRICT;
--> statement-breakpoint
CREATE INDEX `knowledge_task` ON `knowledge` (`task_id`,`row`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`title` text,
	`named` integer DEFAULT 0 NOT NULL,
	`archived` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`first_task` text NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_version` ON `sessions` (`version`);--> statement-breakpoint
CREATE INDEX `sessions_updated` ON `sessions` (`updated_at`,`id`);--> statement-breakpoint
CREATE TABLE `task_labels` (
	`row` integer NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	PRIMARY KEY(`row`, `key`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `task_labels_key` ON `task_labels` (`key`,`value`);--> statement-breakpoint
CREATE TABLE `task_texts` (
	`row` integer PRIMARY KEY NOT NULL,
	`text` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `tasks` (
	`row` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`agent_id` text,
	`session_id` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`queue` text NOT NULL,
	`version` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	`seq` integer DEFAULT 0 NOT NULL,
	`on_agent` integer DEFAULT 0 NOT NULL,
	`attempt` integer DEFAULT 0 NOT NULL,
	`stated_status` text NOT NULL,
	`last_status` text,
	`unknown_since` integer,
	`doubt_reason` text,
	`doubt_as_of` integer,
	`verdict_at` integer,
	`verdict_note` text,
	`refused_action` text,
	`refused_message` text,
	`refused_at` integer,
	`pending` integer DEFAULT 0 NOT NULL,
	`submit_hash` text,
	`activity_attempt` integer,
	`output_bytes` integer,
	`last_output_at` integer,
	`progress` text,
	`task` text NOT NULL,
	`answer` text,
	`answer_seq` integer
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_id` ON `tasks` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_version` ON `tasks` (`version`);--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_at`,`id`,`queue`);--> statement-breakpoint
CREATE INDEX `tasks_status` ON `tasks` (`status`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_session` ON `tasks` (`session_id`,`status`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_agent` ON `tasks` (`agent_id`,`status`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_live` ON `tasks` (`agent_id`) WHERE on_agent = 1 and stated_status in ('queued', 'starting', 'running');--> statement-breakpoint
CREATE INDEX `tasks_ended` ON `tasks` (`agent_id`,`generation`,`seq`) WHERE stated_status in ('completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE TABLE `tombstones` (
	`version` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `tombstones_id` ON `tombstones` (`kind`,`id`);--> statement-breakpoint
CREATE INDEX `tombstones_at` ON `tombstones` (`at`);