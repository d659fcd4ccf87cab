CREATE TABLE `alert_messages` (
	`ordinal` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`channel` text NOT NULL,
	`lane` text NOT NULL,
	`body` text NOT NULL,
	`created_at` integer NOT NULL,
	`state` text NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`tried_at` integer,
	`next_try_at` integer NOT NULL,
	`error` text
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `alert_messages_id` ON `alert_messages` (`id`);--> statement-breakpoint
CREATE INDEX `alert_messages_channel` ON `alert_messages` (`channel`,`lane`,`created_at`);--> statement-breakpoint
CREATE INDEX `alert_messages_tried` ON `alert_messages` (`channel`,`tried_at`);--> statement-breakpoint
CREATE INDEX `alert_messages_waiting` ON `alert_messages` (`channel`,`lane`,`ordinal`) WHERE state = 'waiting';--> statement-breakpoint
CREATE TABLE `alert_sources` (
	`agent_id` text PRIMARY KEY NOT NULL,
	`generation` integer NOT NULL,
	`base_seq` integer NOT NULL,
	`heard` integer DEFAULT 0 NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `alert_tellings` (
	`channel` text NOT NULL,
	`alert_id` integer NOT NULL,
	`state` text NOT NULL,
	`message` integer,
	PRIMARY KEY(`channel`, `alert_id`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `alert_tellings_alert` ON `alert_tellings` (`alert_id`);--> statement-breakpoint
CREATE INDEX `alert_tellings_state` ON `alert_tellings` (`channel`,`state`,`alert_id`);--> statement-breakpoint
CREATE INDEX `alert_tellings_message` ON `alert_tellings` (`message`);--> statement-breakpoint
CREATE TABLE `alerts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` text NOT NULL,
	`kind` text NOT NULL,
	`task_id` text,
	`session_id` text,
	`agent_id` text,
	`agent_name` text,
	`code` text,
	`subject` text NOT NULL,
	`detail` text NOT NULL,
	`lasting` integer NOT NULL,
	`since_at` integer NOT NULL,
	`noted_at` integer NOT NULL,
	`resolved_at` integer,
	`resolution` text
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `alerts_key` ON `alerts` (`key`);--> statement-breakpoint
CREATE INDEX `alerts_noted` ON `alerts` (`noted_at`);--> statement-breakpoint
CREATE INDEX `alerts_open` ON `alerts` (`task_id`,`kind`) WHERE lasting = 1 and resolved_at is null;