ALTER TABLE `tasks` ADD `retry_of` text;--> statement-breakpoint
UPDATE tasks SET retry_of = json_extract(task, '$.retryOf') WHERE json_extract(task, '$.retryOf') IS NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_retries` ON `tasks` (`retry_of`) WHERE retry_of is not null;