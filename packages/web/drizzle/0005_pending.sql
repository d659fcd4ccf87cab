ALTER TABLE `intents` ADD `asked_generation` integer;--> statement-breakpoint
CREATE INDEX `tasks_pending` ON `tasks` (`created_at`,`id`) WHERE pending > 0;--> statement-breakpoint
CREATE INDEX `tasks_refused` ON `tasks` (`created_at`,`id`) WHERE refused_at is not null;