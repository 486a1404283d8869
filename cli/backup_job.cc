#include "cli/backup_job.h"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <random>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/backup_repository.h"
#include "cli/cron_table.h"
#include "cli/environment.h"

namespace muster::cli {
namespace {

std::string skipped_path(const std::string& directory, const std::string& name) {
  return directory + "/job-" + name + ".skipped";
}

// A byte for each: that nobody who dies makes wrong.
void count_skipped(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file) base::throw_errno("open " + path);
  base::write_all(file.get(), "s");
}

void wait_for(const base::Context& ctx, std::chrono::milliseconds most) {
  if (most.count() <= 0) return;
  std::random_device random;
  const auto wait = std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(random));
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  wake.wait_for(lock, ctx.stop, wait, [] { return false; });
  ctx.check_stop();
}

}  // namespace

std::optional<JobRun> JobRun::begin(const Program& program) {
  JobRun run;
  if (const auto name = program.settings.text("job")) {
    check_job_name(*name);
    run.name_ = *name;
    run.directory_ = runtime_directory();
    const std::string path = run.directory_ + "/job-" + *name + ".lock";
    run.lock_ = base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!run.lock_) base::throw_errno("open " + path);
    if (::flock(run.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) base::throw_errno("lock " + path);
      count_skipped(skipped_path(run.directory_, *name));
      return std::nullopt;
    }
  }
  wait_for(until_interrupt(program), program.settings.duration("splay").value_or(std::chrono::milliseconds()));
  return run;
}

std::uint64_t JobRun::take_skipped() const {
  if (name_.empty()) return 0;
  const std::string path = skipped_path(directory_, name_), taken = path + ".taken";
  // Those that come meanwhile make a file of their own.
  if (::rename(path.c_str(), taken.c_str()) != 0) return 0;
  struct stat facts {};
  const bool known = ::stat(taken.c_str(), &facts) == 0;
  ::unlink(taken.c_str());
  return known ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

JobOutcome job_outcome(const JobRun& job, int status, base::TimePoint began) {
  return {.name = job.name(),
          .skipped = job.take_skipped(),
          .status = status,
          .duration = std::chrono::duration<double>(base::Clock::now() - began).count()};
}

}  // namespace muster::cli
