ALTER TABLE `tasks` ADD `changed_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `length_rank` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE tasks SET (changed_at, length_rank) = (
  SELECT
    CASE
      WHEN status = 'unknown' THEN coalesce(unknown_since, startedAt, created_at)
      WHEN status = 'lost' THEN coalesce(verdict_at, endedAt, startedAt, created_at)
      WHEN status IN ('completed', 'failed', 'cancelled') THEN coalesce(endedAt, startedAt, created_at)
      WHEN status IN ('starting', 'running') THEN coalesce(startedAt, created_at)
      ELSE created_at
    END,
    CASE
      WHEN status IN ('completed', 'failed', 'cancelled', 'lost')
        THEN 1000000000000000 - max(0, coalesce(endedAt - startedAt, 0))
      WHEN status IN ('queued', 'submitted') THEN 100000000000000 + created_at
      ELSE coalesce(startedAt, created_at)
    END
  FROM (SELECT
    json_extract(coalesce(answer, task), '$.startedAt') AS startedAt,
    json_extract(coalesce(answer, task), '$.endedAt') AS endedAt)
);--> statement-breakpoint
CREATE INDEX `tasks_changed` ON `tasks` (`status`,`changed_at`,`id`,`session_id`,`agent_id`);--> statement-breakpoint
CREATE INDEX `tasks_length` ON `tasks` (`status`,`length_rank`,`id`,`session_id`,`agent_id`);