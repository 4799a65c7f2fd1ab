#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"

namespace planexe::plan {

Result<BuiltinResult> finish_swot_analysis(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "swot_analysis has no answer to finish");
  const json::value& purpose = read(in, "identify_purpose.answer");
  BuiltinResult result;
  result.outputs["raw"] = json::object{{"topic", text(purpose, "topic")},
                                       {"purpose", text(purpose, "purpose")},
                                       {"purpose_detailed", text(purpose, "purpose_detailed")},
                                       {"response_purpose", purpose},
                                       {"response_conduct", *answer}};
  return result;
}

}  // namespace planexe::plan
