#pragma once

#include <string_view>

#include "store/rows.hpp"
#include "store/sql.hpp"

/// How rows lie in columns: for each table the columns that are read, in order, the reader of one row, and the fields
/// that are written. Times that a caller left empty become `now`.
namespace planexe::store {

extern const std::string_view kPlanColumns;
PlanRow read_plan(sql::Rows& rows);
/// What never changes after creation.
sql::Fields plan_identity_fields(const PlanRow& plan, TimePoint now);
/// What a run changes, without lease, fencing, seq_reserved and cancel_requested_at.
sql::Fields plan_state_fields(const PlanRow& plan, TimePoint now);

extern const std::string_view kTaskColumns;
TaskRow read_task(sql::Rows& rows);
sql::Fields task_fields(const TaskRow& task);

extern const std::string_view kItemColumns;
ItemRow read_item(sql::Rows& rows);
sql::Fields item_fields(const ItemRow& item);

/// Without the content; the content comes from kContentBody, read by read_content_body.
extern const std::string_view kContentColumns;
extern const std::string_view kContentBody;
ContentRow read_content(sql::Rows& rows);
void read_content_body(sql::Rows& rows, ContentRow& row);

/// Without prompt_blocks.
extern const std::string_view kInteractionColumns;
InteractionRow read_interaction(sql::Rows& rows);
/// Identity and prompt.
sql::Fields interaction_identity_fields(const InteractionRow& row);
/// What an attempt learns on its way.
sql::Fields interaction_result_fields(const InteractionRow& row);

extern const std::string_view kEventColumns;
EventRow read_event(sql::Rows& rows);

extern const std::string_view kConversationColumns;
ConversationRow read_conversation(sql::Rows& rows);
sql::Fields conversation_fields(const ConversationRow& row, TimePoint now);

extern const std::string_view kTurnColumns;
TurnRow read_turn(sql::Rows& rows);
sql::Fields turn_fields(const TurnRow& row, TimePoint now);

/// The time, or `now` when it was left empty.
inline TimePoint or_now(TimePoint time, TimePoint now) { return time == TimePoint{} ? now : time; }

}  // namespace planexe::store
