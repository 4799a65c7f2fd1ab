-- The first schema. README.md in this folder explains the marks that differ between databases.
--
-- Long texts stand at the end of their tables: SQLite keeps a row in column order, so sums and lists over the short
-- columns never touch the overflow pages of a prompt or an answer.

CREATE TABLE plans (
  id {{id}},
  plan_id TEXT NOT NULL UNIQUE,
  user_id TEXT,
  title TEXT,
  llm_model TEXT,
  speed_vs_detail TEXT NOT NULL DEFAULT 'all_details_but_slow'
    CHECK (speed_vs_detail IN ('all_details_but_slow', 'balanced_speed_and_detail', 'fast_but_skip_details')),
  reasoning_effort TEXT,
  openrouter_api_key_hash TEXT,
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
  progress_percentage INTEGER NOT NULL DEFAULT 0 CHECK (progress_percentage BETWEEN 0 AND 100),
  progress_message TEXT NOT NULL DEFAULT '',
  error_message TEXT,
  error_code TEXT,
  failed_task_key TEXT,
  created_at {{ts}} NOT NULL,
  updated_at {{ts}} NOT NULL,
  started_at {{ts}},
  completed_at {{ts}},
  cancel_requested_at {{ts}},
  output_dir TEXT,
  estimated_duration_minutes DOUBLE PRECISION,
  actual_duration_minutes DOUBLE PRECISION,
  eta_seconds BIGINT,
  conversation_id TEXT,
  redline_mode TEXT NOT NULL DEFAULT 'block' CHECK (redline_mode IN ('block', 'warn')),
  rehearsal BOOLEAN NOT NULL DEFAULT FALSE,
  run_attempt INTEGER NOT NULL DEFAULT 0,
  recovery_count INTEGER NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_expires_at {{ts}},
  fencing BIGINT NOT NULL DEFAULT 0,
  seq_reserved BIGINT NOT NULL DEFAULT 0,
  max_cost_micros BIGINT,
  pipeline_version TEXT,
  recipe_hash TEXT,
  enriched_intake {{json}},
  prompt TEXT NOT NULL
);
CREATE INDEX plans_by_status ON plans (status, created_at);
CREATE INDEX plans_by_creation ON plans (created_at, id);

-- What a search looks at: title and prompt, folded. Apart from plans, so that progress does not rewrite it.
CREATE TABLE plan_search (
  plan_id TEXT PRIMARY KEY REFERENCES plans (plan_id) ON DELETE CASCADE,
  folded_text TEXT NOT NULL
);

CREATE TABLE plan_content (
  id {{id}},
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  filename TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  is_current BOOLEAN NOT NULL DEFAULT TRUE,
  stale BOOLEAN NOT NULL DEFAULT FALSE,
  stage TEXT,
  content_type TEXT NOT NULL,
  content_size_bytes BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  input_hash TEXT,
  task_key TEXT,
  fencing BIGINT NOT NULL DEFAULT 0,
  created_at {{ts}} NOT NULL,
  content TEXT NOT NULL,
  content_blob {{blob}},
  UNIQUE (plan_id, filename, version)
);
CREATE UNIQUE INDEX plan_content_current ON plan_content (plan_id, filename) WHERE is_current;

CREATE TABLE plan_files (
  id {{id}},
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  filename TEXT NOT NULL,
  file_type TEXT NOT NULL,
  file_size_bytes BIGINT,
  content_hash TEXT,
  content_summary TEXT,
  generated_by_stage TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  created_at {{ts}} NOT NULL,
  updated_at {{ts}} NOT NULL,
  file_path TEXT NOT NULL,
  UNIQUE (plan_id, filename)
);

-- One row per attempt of a model call: the cost ledger.
CREATE TABLE llm_interactions (
  id {{id}},
  plan_id TEXT REFERENCES plans (plan_id) ON DELETE CASCADE,
  owner_kind TEXT NOT NULL DEFAULT 'plan' CHECK (owner_kind IN ('plan', 'conversation', 'analysis')),
  owner_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  call_key TEXT,
  parent_call_key TEXT,
  run_attempt INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 1,
  attempt_reason TEXT,
  llm_model TEXT NOT NULL,
  provider TEXT,
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'running', 'completed', 'failed', 'abandoned', 'cancelled')),
  started_at {{ts}},
  completed_at {{ts}},
  duration_seconds DOUBLE PRECISION,
  queue_ms BIGINT NOT NULL DEFAULT 0,
  first_byte_ms BIGINT NOT NULL DEFAULT 0,
  first_token_ms BIGINT NOT NULL DEFAULT 0,
  input_tokens BIGINT NOT NULL DEFAULT 0,
  cached_input_tokens BIGINT NOT NULL DEFAULT 0,
  cache_write_tokens BIGINT NOT NULL DEFAULT 0,
  output_tokens BIGINT NOT NULL DEFAULT 0,
  reasoning_tokens BIGINT NOT NULL DEFAULT 0,
  total_tokens BIGINT NOT NULL DEFAULT 0,
  cost_micros BIGINT,
  price_version TEXT,
  usage_source TEXT,
  http_status INTEGER NOT NULL DEFAULT 0,
  error_code TEXT,
  error_message TEXT,
  response_id TEXT,
  provider_request_id TEXT,
  background BOOLEAN NOT NULL DEFAULT FALSE,
  last_event_sequence BIGINT NOT NULL DEFAULT -1,
  request_hash TEXT,
  transcript_hash TEXT,
  input_hash TEXT,
  fencing BIGINT NOT NULL DEFAULT 0,
  prompt_metadata {{json}},
  response_metadata {{json}},
  prompt_text TEXT,
  reasoning_text TEXT,
  response_text TEXT
);
CREATE UNIQUE INDEX llm_interactions_attempt
  ON llm_interactions (owner_kind, owner_id, call_key, run_attempt, attempt) WHERE call_key IS NOT NULL;
CREATE INDEX llm_interactions_by_plan ON llm_interactions (plan_id, id);
CREATE INDEX llm_interactions_open ON llm_interactions (plan_id) WHERE status IN ('pending', 'running');

-- A text is stored once under its hash; a prompt is the list of its texts.
CREATE TABLE text_blocks (
  id {{id}},
  sha256 TEXT NOT NULL UNIQUE,
  size_bytes BIGINT NOT NULL,
  text TEXT NOT NULL
);
-- A plan keeps the blocks it has put, so that another plan's deletion cannot take them away before they are used.
CREATE TABLE plan_blocks (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  block_id BIGINT NOT NULL REFERENCES text_blocks (id),
  PRIMARY KEY (plan_id, block_id)
) {{without_rowid}};
CREATE INDEX plan_blocks_by_block ON plan_blocks (block_id);
CREATE TABLE interaction_blocks (
  interaction_id BIGINT NOT NULL REFERENCES llm_interactions (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  block_id BIGINT NOT NULL REFERENCES text_blocks (id),
  PRIMARY KEY (interaction_id, position)
) {{without_rowid}};
CREATE INDEX interaction_blocks_by_block ON interaction_blocks (block_id);

-- For people: every interaction with its whole prompt.
CREATE VIEW llm_interactions_full AS
SELECT i.id, i.plan_id, i.owner_kind, i.owner_id, i.stage, i.call_key, i.parent_call_key, i.run_attempt, i.attempt,
       i.attempt_reason, i.llm_model, i.provider, i.status, i.started_at, i.completed_at, i.duration_seconds,
       i.input_tokens, i.cached_input_tokens, i.output_tokens, i.reasoning_tokens, i.total_tokens, i.cost_micros,
       i.error_code, i.error_message, i.response_id,
       COALESCE((
-- sqlite:         SELECT group_concat(part.text, char(10) || char(10))
-- sqlite:         FROM (SELECT b.text FROM interaction_blocks l JOIN text_blocks b ON b.id = l.block_id
-- sqlite:               WHERE l.interaction_id = i.id ORDER BY l.position) part
-- postgres:         SELECT string_agg(b.text, E'\n\n' ORDER BY l.position)
-- postgres:         FROM interaction_blocks l JOIN text_blocks b ON b.id = l.block_id WHERE l.interaction_id = i.id
       ), i.prompt_text, '') AS prompt_text,
       i.reasoning_text, i.response_text
FROM llm_interactions i;

CREATE TABLE plan_metrics (
  id {{id}},
  plan_id TEXT NOT NULL UNIQUE REFERENCES plans (plan_id) ON DELETE CASCADE,
  total_llm_calls BIGINT NOT NULL DEFAULT 0,
  total_tokens_used BIGINT NOT NULL DEFAULT 0,
  total_cost_usd DOUBLE PRECISION NOT NULL DEFAULT 0,
  total_cost_micros BIGINT NOT NULL DEFAULT 0,
  input_tokens BIGINT NOT NULL DEFAULT 0,
  cached_input_tokens BIGINT NOT NULL DEFAULT 0,
  output_tokens BIGINT NOT NULL DEFAULT 0,
  reasoning_tokens BIGINT NOT NULL DEFAULT 0,
  retries BIGINT NOT NULL DEFAULT 0,
  repairs BIGINT NOT NULL DEFAULT 0,
  wall_ms BIGINT,
  plan_complexity_score DOUBLE PRECISION,
  plan_completeness_score DOUBLE PRECISION,
  user_rating INTEGER,
  user_feedback TEXT,
  peak_memory_mb DOUBLE PRECISION,
  cpu_time_seconds DOUBLE PRECISION,
  created_at {{ts}} NOT NULL,
  updated_at {{ts}} NOT NULL
);

CREATE TABLE plan_tasks (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  task_key TEXT NOT NULL,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('pending', 'ready', 'running', 'completed', 'failed', 'skipped', 'blocked', 'cancelled')),
  state_reason TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 0,
  input_hash TEXT,
  weight INTEGER NOT NULL DEFAULT 1,
  units_total INTEGER NOT NULL DEFAULT 0,
  units_done INTEGER NOT NULL DEFAULT 0,
  units_failed INTEGER NOT NULL DEFAULT 0,
  started_at {{ts}},
  finished_at {{ts}},
  duration_ms BIGINT NOT NULL DEFAULT 0,
  model TEXT,
  error_code TEXT,
  error_message TEXT,
  degraded BOOLEAN NOT NULL DEFAULT FALSE,
  ask_anew BOOLEAN NOT NULL DEFAULT FALSE,
  run_attempt INTEGER NOT NULL DEFAULT 0,
  fencing BIGINT NOT NULL DEFAULT 0,
  updated_at {{ts}} NOT NULL,
  PRIMARY KEY (plan_id, task_key)
) {{without_rowid}};

CREATE TABLE plan_task_edges (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  from_key TEXT NOT NULL,
  to_key TEXT NOT NULL,
  tolerant BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (plan_id, from_key, to_key)
) {{without_rowid}};

CREATE TABLE plan_task_attempts (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  task_key TEXT NOT NULL,
  run_attempt INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  state TEXT NOT NULL,
  started_at {{ts}},
  finished_at {{ts}},
  error_code TEXT,
  error_message TEXT,
  fencing BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (plan_id, task_key, run_attempt, attempt)
) {{without_rowid}};

CREATE TABLE plan_task_items (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  task_key TEXT NOT NULL,
  item_key TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'missing', 'skipped')),
  state_reason TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  input_hash TEXT,
  error_code TEXT,
  error_message TEXT,
  run_attempt INTEGER NOT NULL DEFAULT 0,
  fencing BIGINT NOT NULL DEFAULT 0,
  updated_at {{ts}} NOT NULL,
  meta {{json}},
  result {{json}},
  PRIMARY KEY (plan_id, task_key, item_key)
);

CREATE TABLE plan_events (
  plan_id TEXT NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  type TEXT NOT NULL,
  created_at {{ts}} NOT NULL,
  interaction_id BIGINT NOT NULL DEFAULT 0,
  payload {{json}},
  PRIMARY KEY (plan_id, seq)
) {{without_rowid}};
-- Counts the stored log lines of a plan, which are limited.
CREATE INDEX plan_events_log ON plan_events (plan_id) WHERE type = 'log';

CREATE TABLE recipes (
  recipe_hash TEXT PRIMARY KEY,
  created_at {{ts}} NOT NULL,
  content TEXT NOT NULL
);

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  model_key TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'running')),
  plan_id TEXT REFERENCES plans (plan_id) ON DELETE SET NULL,
  created_at {{ts}} NOT NULL,
  updated_at {{ts}} NOT NULL,
  last_error {{json}},
  draft_intake {{json}}
);
CREATE INDEX conversations_by_plan ON conversations (plan_id) WHERE plan_id IS NOT NULL;

CREATE TABLE conversation_turns (
  conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  turn INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  status TEXT NOT NULL,
  interaction_id BIGINT NOT NULL DEFAULT 0,
  created_at {{ts}} NOT NULL,
  completed_at {{ts}},
  error {{json}},
  usage {{json}},
  reasoning TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL,
  PRIMARY KEY (conversation_id, turn)
);

CREATE TABLE idempotency_keys (
  identity TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  plan_id TEXT NOT NULL,
  expires_at {{ts}} NOT NULL,
  reply TEXT NOT NULL,
  PRIMARY KEY (identity, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- Numbers that are handed out in blocks before their rows exist.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  next_value BIGINT NOT NULL
);
INSERT INTO counters (name, next_value) VALUES ('llm_interactions', 1);
