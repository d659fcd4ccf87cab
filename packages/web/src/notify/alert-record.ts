/** An alert as it is stored. */
import type { AlertKind } from '@holdfast/shared';
import type { Alert } from './rules.ts';

export interface AlertRecord {
  id: number;
  kind: AlertKind;
  task_id: string | null;
  session_id: string | null;
  agent_id: string | null;
  agent_name: string | null;
  code: string | null;
  subject: string;
  detail: string;
  lasting: number;
  since_at: number;
  noted_at: number;
  resolved_at: number | null;
  resolution: string | null;
}

/** Of `alerts AS a`. */
export const alertColumns =
  'a.id, a.kind, a.task_id, a.session_id, a.agent_id, a.agent_name, a.code, a.subject, a.detail, a.lasting, a.since_at, a.noted_at, a.resolved_at, a.resolution';

/** Of `alerts`: it lasts. */
export const isOpen = 'lasting = 1 AND resolved_at IS NULL';

export function toAlert(record: AlertRecord): Alert {
  const { id, kind, subject, detail } = record;
  return {
    id,
    kind,
    subject,
    detail,
    ...(record.task_id === null ? {} : { taskId: record.task_id }),
    ...(record.session_id === null ? {} : { sessionId: record.session_id }),
    ...(record.agent_id === null ? {} : { agentId: record.agent_id }),
    ...(record.agent_name === null ? {} : { agentName: record.agent_name }),
    lasting: record.lasting === 1,
    sinceAt: record.since_at,
    notedAt: record.noted_at,
    ...(record.resolved_at === null ? {} : { resolvedAt: record.resolved_at }),
    ...(record.resolution === null ? {} : { resolution: record.resolution }),
  };
}
