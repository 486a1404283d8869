// muster vm: the life of virtual machines.
#include <array>
#include <utility>

#include "cli/vm_commands.h"

namespace muster::cli {
namespace {

constexpr auto kRuns = std::to_array<std::pair<std::string_view, VerbRun>>({
    {"list", vm_list},         {"info", vm_info},         {"xml", vm_xml},         {"start", vm_life},
    {"stop", vm_life},         {"reboot", vm_life},       {"reset", vm_life},      {"pause", vm_life},
    {"resume", vm_life},       {"save", vm_life},         {"wait", vm_life},       {"autostart", vm_life},
    {"delete", vm_delete},     {"undelete", vm_undelete}, {"trash", vm_trash},     {"stats", vm_stats},
    {"top", vm_top},           {"events", vm_events},     {"migrate", vm_migrate}, {"console", vm_console},
    {"edit", vm_edit},         {"rename", vm_rename},     {"create", vm_create},   {"set", vm_set},
    {"limit", vm_limit},       {"attach", vm_devices},    {"detach", vm_devices},  {"media", vm_devices},
    {"snapshot", vm_snapshot},
});

int run_vm(Program& program) { return run_verb(program, kRuns); }

}  // namespace

}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("vm", argc, argv, muster::cli::run_vm); }
