// muster backup restore of an area: files, trees or all of it into a directory, as a tar archive, or where it came
// from.
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/area_export.h"
#include "backup/command_stream.h"
#include "backup/tar_sink.h"
#include "backup/tree_writer.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/area_hosts.h"
#include "cli/backup_area.h"
#include "cli/backup_commands.h"
#include "cli/backup_lease.h"
#include "cli/backup_progress.h"
#include "cli/backup_restoration.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMostAhead = 32U << 20;
constexpr std::chrono::milliseconds kPause{10};

class AreaRestoration {
 public:
  AreaRestoration(const AreaOfPoint& point, const std::optional<std::string>& path)
      : program_(point.program),
        opened_(point.opened),
        listed_(point.listed),
        area_(*point.listed.point.area),
        inside_(path_in_area(path.value_or("/"))),
        bytes_per_second_(restore_manner(program_.settings).bytes_per_second) {
    check_may_read(opened_);
  }

  int to_directory(const std::string& directory) {
    if (dry_run()) return plan("into " + directory);
    if (fs::exists(directory) && !fs::is_empty(directory)) confirm("restore over what is in " + directory);
    if (::mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) base::throw_errno("make directory " + directory);
    // One file or directory keeps its name; all of the area is what the directory becomes.
    return write_tree(directory, inside_.substr(inside_.rfind('/') + 1));
  }

  int to_tar(const std::optional<std::string>& file) {
    if (!file && program_.json()) program_.settings.reject("json", "an archive on standard output is no JSON");
    if (dry_run()) return plan(file ? "as archive " + *file : "as an archive");
    if (!file)
      return close(write_tar([](base::ByteView bytes) { base::write_all(STDOUT_FILENO, base::as_text(bytes)); }),
                   json::object());
    if (fs::exists(*file)) confirm("replace " + *file);
    const std::string partial = *file + ".muster-partial";
    const base::UniqueFd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) base::throw_errno("make file " + partial);
    const auto counts = write_tar([&](base::ByteView bytes) { base::write_all(fd.get(), base::as_text(bytes)); });
    if (::fsync(fd.get()) != 0) base::throw_errno("write " + partial);
    if (::rename(partial.c_str(), file->c_str()) != 0) base::throw_errno("rename " + partial);
    return close(counts, json::object());
  }

  int in_place() {
    const std::string where = area_.host.empty() ? area_.path : area_.host + ":" + area_.path;
    if (dry_run()) return plan("over " + where);
    confirm("restore over what is in " + where);
    return area_.host.empty() ? write_tree(area_.path, inside_) : send(where);
  }

 private:
  bool dry_run() const { return program_.settings.flag("dry-run"); }
  void confirm(const std::string& question) const { confirm_backup(program_, question); }

  int plan(const std::string& where) const {
    return close_plan(program_, "restore",
                      fmt::format("restore /{} of restore point {} {}", inside_, short_id(listed_.point.id), where));
  }

  backup::ExportCounts run(const std::string& prefix, backup::EntrySink& sink) {
    const auto lease = hold_points(opened_, {&listed_});
    const auto index = backup::Index::load(opened_.context, opened_.repository);
    backup::Progress progress;
    progress.begin(backup::Progress::Unit::bytes, inside_.empty() ? area_.size_bytes : 0);
    const BackupProgress shown(program_, listed_.point.name, progress);
    return backup::export_area(
        opened_.context, opened_.repository, *index,
        {.tree = area_.tree, .path = inside_, .prefix = prefix, .bytes_per_second = bytes_per_second_}, sink, progress);
  }

  int write_tree(const std::string& directory, const std::string& prefix) {
    backup::TreeWriter writer(directory);
    const auto counts = run(prefix, writer);
    writer.finish();
    const auto& lacks = writer.lacks();
    const auto tell_lack = [&](std::uint64_t count, const char* what) {
      if (count != 0) program_.ctx.warn(fmt::format("{} {}", count, what));
    };
    tell_lack(lacks.owners, "files belong to this user now: only root gives files to others");
    tell_lack(lacks.devices, "devices were left out: only root makes them");
    tell_lack(lacks.attributes, "extended attributes could not be set here");
    return close(
        counts,
        {{"owners_lost", lacks.owners}, {"devices_left_out", lacks.devices}, {"attributes_lost", lacks.attributes}});
  }

  backup::ExportCounts write_tar(const archive::TarWriter::Sink& to) {
    backup::TarSink sink(to);
    const auto counts = run(inside_, sink);
    sink.finish();
    return counts;
  }

  // To the machine that it came from, where tar takes it.
  int send(const std::string& where) {
    AreaHosts hosts(program_);
    const auto found = hosts.find(AreaWord{.hosts = area_.host, .path = area_.path});
    if (found.size() != 1) throw Error(Code::usage, "'" + area_.host + "' is not one host of the inventory any more");
    const std::string path = ssh::in_quotes(area_.path);
    ssh::InputSource archive(temporary_directory(), ssh::InputSource::Keeping::unread);
    backup::CommandStream stream(opened_.context, *found.front().host,
                                 "export LC_ALL=C; mkdir -p -- " + path +
                                     " && exec tar --extract --file=- --directory=" + path +
                                     " --warning=no-unknown-keyword --xattrs --xattrs-include='*' --numeric-owner "
                                     "--preserve-permissions --delay-directory-restore",
                                 &archive);
    backup::ExportCounts counts;
    try {
      counts = write_tar([&](base::ByteView bytes) {
        // Not further ahead of the machine than this.
        while (archive.unread_bytes() > kMostAhead && !stream.ended()) {
          opened_.context.check_stop();
          std::this_thread::sleep_for(kPause);
        }
        if (stream.ended()) throw Error(Code::unreachable, where + ": tar does not take the archive");
        archive.append(base::as_text(bytes));
      });
    } catch (const Error& e) {
      archive.fail(e);
      if (!stream.ended()) throw;
      // What it says of that tells more.
      stream.finish();
      tell_messages(where, stream);
      throw;
    }
    archive.close();
    const int ended = stream.finish();
    tell_messages(where, stream);
    if (ended == 0) return close(counts, json::object());
    program_.ctx.warn(fmt::format("{}: tar ended with status {}: not all of it was restored", where, ended));
    return close_backup(program_, {{"point", backup::hex(listed_.point.id)}}, kPartFailed);
  }

  void tell_messages(const std::string& where, const backup::CommandStream& stream) const {
    for (const auto& message : stream.messages()) program_.ctx.warn(where + ": " + message);
  }

  int close(const backup::ExportCounts& counts, json fields) const {
    const int status = counts.failed == 0 ? kAllWorked : counts.failed == counts.entries ? kNothingWorked : kPartFailed;
    if (program_.settings.given("to") || program_.settings.flag("in-place"))
      tell(program_, fmt::format("{}: {} files and directories restored, {}{}", listed_.point.name,
                                 counts.entries - counts.failed, size_text(counts.bytes),
                                 counts.failed == 0 ? "" : fmt::format("; {} not", counts.failed)));
    fields.update({{"point", backup::hex(listed_.point.id)},
                   {"entries", counts.entries},
                   {"bytes", counts.bytes},
                   {"failed", counts.failed}});
    return close_backup(program_, std::move(fields), status);
  }

  const Program& program_;
  const OpenedRepository& opened_;
  const backup::ListedPoint& listed_;
  const backup::AreaPoint& area_;
  const std::string inside_;
  const std::uint64_t bytes_per_second_;
};

}  // namespace

int restore_area(const AreaOfPoint& point, const std::optional<std::string>& path) {
  const Settings& settings = point.program.settings;
  for (const char* option : {"as", "start", "same-identity", "format", "delta", "verify"})
    if (settings.given_now(option)) settings.reject(option, "not for files of an area");
  AreaRestoration restoration(point, path);
  const auto to = settings.text("to");
  if (settings.flag("in-place")) {
    if (to || settings.flag("tar")) settings.reject("in-place", "exclude --to and --tar");
    return restoration.in_place();
  }
  if (settings.flag("tar")) return restoration.to_tar(to);
  if (!to || to->empty()) throw Error(Code::usage, "write --to DIR, --tar, or --in-place");
  return restoration.to_directory(*to);
}

}  // namespace muster::cli
