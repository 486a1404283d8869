// What a call fails with, for tests that expect it to. Thread-safe, as googletest's failures are.
#pragma once

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::backup {

struct Failure {
  base::Code code = base::Code::usage;
  std::string text;
};

// Fails the test where `body` does not throw an Error.
inline Failure failure_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const base::Error& e) {
    return {.code = e.code(), .text = e.what()};
  }
  ADD_FAILURE() << "no error";
  return {};
}

inline base::Code code_of(const std::function<void()>& body) { return failure_of(body).code; }

}  // namespace muster::backup
