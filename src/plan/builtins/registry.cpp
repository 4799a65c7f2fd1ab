#include "plan/builtins/given.hpp"
#include "plan/builtins/groups.hpp"

namespace planexe::plan {

const std::map<std::string, Builtin, std::less<>>& builtins() {
    static const BuiltinMap all = [] {
        BuiltinMap map{{"start_time", given_start_time}, {"setup", given_setup}};
        register_analysis(map);
        register_execution(map);
        register_documents(map);
        register_structure(map);
        return map;
    }();
    return all;
}

}  // namespace planexe::plan
