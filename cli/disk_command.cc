// muster disk: the images that are the disks of machines, and nothing of what is in them.
#include <array>
#include <utility>

#include "cli/disk_commands.h"

namespace muster::cli {
namespace {

constexpr auto kVerbs =
    std::to_array<std::pair<std::string_view, VerbRun>>({{"info", disk_info}, {"resize", disk_resize}});

int run_disk(Program& program) { return run_verb(program, kVerbs); }

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("disk", argc, argv, muster::cli::run_disk); }
