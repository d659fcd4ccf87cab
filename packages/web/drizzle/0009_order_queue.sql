DROP INDEX `tasks_changed`;--> statement-breakpoint
DROP INDEX `tasks_length`;--> statement-breakpoint
CREATE INDEX `tasks_changed` ON `tasks` (`status`,`changed_at`,`id`,`session_id`,`agent_id`,`queue`);--> statement-breakpoint
CREATE INDEX `tasks_length` ON `tasks` (`status`,`length_rank`,`id`,`session_id`,`agent_id`,`queue`);