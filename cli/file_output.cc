#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/run_output.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::Stream;

class FileHost : public ssh::HostOutput {
 public:
  FileHost(std::string path, EarlierFiles earlier) : path_(std::move(path)), earlier_(earlier) {
    if (earlier_ == EarlierFiles::replaced)
      for (const auto& old : {path_, path_ + ".err"}) ::unlink(old.c_str());
  }

  void output(Stream stream, std::string_view bytes) override {
    base::UniqueFd& file = stream == Stream::out ? out_ : err_;
    if (!file) file = open(stream == Stream::out ? path_ : path_ + ".err");
    base::write_all(file.get(), bytes);
  }

  // A command that printed nothing has an empty file; a host that was not reached has none.
  void finished(const HostReport& report) override {
    if (!out_ && report.status) out_ = open(path_);
  }

 private:
  base::UniqueFd open(const std::string& path) const {
    const int existing = earlier_ == EarlierFiles::replaced ? O_TRUNC : O_APPEND;
    base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | existing, 0644));
    if (!fd) base::throw_errno("open " + path);
    return fd;
  }

  std::string path_;
  EarlierFiles earlier_;
  base::UniqueFd out_, err_;
};

class FileOutput : public ssh::RunObserver {
 public:
  FileOutput(const HostNames& names, std::string directory, EarlierFiles earlier)
      : names_(names), directory_(std::move(directory)), earlier_(earlier) {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) base::throw_errno("create " + directory_, error.value());
  }

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    return std::make_unique<FileHost>(directory_ + "/" + names_[host], earlier_);
  }
  void skipped(const HostReport&) override {}

 private:
  const HostNames& names_;
  std::string directory_;
  EarlierFiles earlier_;
};

}  // namespace

std::unique_ptr<ssh::RunObserver> file_output(const HostNames& names, const std::string& directory,
                                              EarlierFiles earlier) {
  return std::make_unique<FileOutput>(names, directory, earlier);
}

}  // namespace muster::cli
