// The user's editor on a text: what they wrote is in a file until it is dropped, whatever becomes of this process.
// Main's thread alone.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

namespace muster::cli {

// A file in the temporary directory that only its user reads. Stays when the object goes, unless drop() was called.
class DraftFile {
 public:
  // `name` is part of the file's, so that it tells whose it is. Throws base::Error{io}.
  DraftFile(const std::string& name, std::string_view text);

  const std::string& path() const { return path_; }
  // Throws base::Error{usage} for more than 8 MiB, {io}.
  std::string text() const;
  void drop() const;

 private:
  std::string path_;
};

// $VISUAL, $EDITOR or vi, on the terminal, until it ends. Throws base::Error{io} when it says that something went
// wrong, {cancelled} once `stop` was requested: the editor is told to hang up.
void edit(const DraftFile& draft, const std::stop_token& stop);

// What diff -u makes of two texts; empty where they are the same. Throws base::Error{io}.
struct NamedText {
  std::string name, text;
};
std::string unified_diff(const NamedText& before, const NamedText& after);

}  // namespace muster::cli
