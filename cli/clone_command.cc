// muster clone: fleets of machines out of a master.
#include <array>
#include <utility>

#include "cli/clone_commands.h"

namespace muster::cli {
namespace {

constexpr auto kVerbs = std::to_array<std::pair<std::string_view, VerbRun>>({{"create", clone_create},
                                                                             {"list", clone_list},
                                                                             {"verify", clone_verify},
                                                                             {"flatten", clone_flatten},
                                                                             {"gc", clone_gc}});

int run_clone(Program& program) { return run_verb(program, kVerbs); }

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("clone", argc, argv, muster::cli::run_clone); }
