-- The few open calls of a plan are found among its calls; an index of their own was written twice for every call.
DROP INDEX llm_interactions_open;
