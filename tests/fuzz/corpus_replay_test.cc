// Runs every file of a fuzzer's corpus through the fuzzer's entry point, which throws where an invariant is broken.
#include <cstdint>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

TEST(Corpus, EveryInputKeepsTheInvariants) {
  std::size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MUSTER_CORPUS)) {
    const std::string input = muster::base::read_file(entry.path(), 1 << 20);
    EXPECT_NO_THROW(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()))
        << entry.path();
    ++inputs;
  }
  EXPECT_GT(inputs, 0U) << MUSTER_CORPUS << " is empty";
}

}  // namespace
