#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/json_lines.h"
#include "cli/run_output.h"
#include "cli/terminal_text.h"
#include "parallel-ssh/output_spool.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using ssh::HostReport;
using ssh::OutputSpool;
using ssh::Stream;

// Everything but the outputs, as an object that is still open.
std::string open_object(const std::string& name, const HostReport& report) {
  json object = {{"host", name},
                 {"state", ssh::name_of(report.state)},
                 {"rc", report.status ? json(*report.status) : json()},
                 {"signal", report.signal.empty() ? json() : json(report.signal)},
                 {"duration", seconds_of(report.duration)}};
  if (!report.error.empty()) object["error"] = report.error;
  if (!report.note.empty()) object["note"] = report.note;
  std::string line = json_line("result", std::move(object));
  line.resize(line.size() - std::string_view("}\n").size());
  return line;
}

using Write = std::function<void(std::string_view)>;

void write_field(const Write& write, const std::string& field, const OutputSpool& spool, bool utf8) {
  write(",\"" + field + (utf8 ? "\":\"" : "_b64\":\""));
  Base64Stream base64;
  CodePointStream text;
  spool.read([&](std::string_view piece) { write(utf8 ? json_escaped(text.add(piece)) : base64.add(piece)); });
  write(utf8 ? json_escaped(text.finish()) : base64.finish());
  write("\"");
}

class JsonHost : public ssh::HostOutput {
 public:
  JsonHost(Console& console, const std::string& name, const std::string& spill_directory)
      : console_(console), name_(name), out_(spill_directory), err_(spill_directory) {}

  void output(Stream stream, std::string_view bytes) override {
    Part& part = stream == Stream::out ? out_ : err_;
    part.spool.append(bytes);
    part.utf8.add(bytes);
  }

  void finished(const HostReport& report) override {
    console_.out_in_pieces([&](const Write& write) {
      write(open_object(name_, report));
      write_field(write, "stdout", out_.spool, out_.utf8.valid());
      write_field(write, "stderr", err_.spool, err_.utf8.valid());
      write("}\n");
    });
  }

 private:
  struct Part {
    OutputSpool spool;
    Utf8Check utf8;
    explicit Part(const std::string& directory) : spool(directory) {}
  };
  Console& console_;
  const std::string& name_;
  Part out_, err_;
};

class JsonOutput : public ssh::RunObserver {
 public:
  JsonOutput(Console& console, const HostNames& names, std::string spill_directory)
      : console_(console), names_(names), spill_directory_(std::move(spill_directory)) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    return std::make_unique<JsonHost>(console_, names_[host], spill_directory_);
  }
  void skipped(const HostReport& report) override {
    console_.out(open_object(names_[report.host], report) + ",\"stdout\":\"\",\"stderr\":\"\"}\n");
  }

 private:
  Console& console_;
  const HostNames& names_;
  std::string spill_directory_;
};

}  // namespace

std::unique_ptr<ssh::RunObserver> json_output(Console& console, const HostNames& names,
                                              const std::string& spill_directory) {
  return std::make_unique<JsonOutput>(console, names, spill_directory);
}

}  // namespace muster::cli
