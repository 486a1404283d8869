// kill -9 of a program of muster between any two of its calls to libvirtd that change something.
#pragma once

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/libvirt_relay.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {

// With its worker, or without: that finds its way to the end alone.
enum class Whom { both, muster };

// Starts it and kills it before its change number `changes` (from 0). `launch` goes through the relay. False if it
// ended before.
inline bool killed_before(LibvirtRelay& relay, const Launch& launch, int changes, Whom whom) {
  relay.let_through(changes);
  MusterProcess process(launch);
  EXPECT_TRUE(wait_until([&] { return relay.holds() || !is_running(process.pid()); }));
  if (!relay.holds()) {
    const auto ended = process.finish();
    EXPECT_EQ(ended.code, 0) << told(ended);
    return false;
  }
  const auto tree = process_tree(process.pid());
  EXPECT_GE(tree.size(), 2U);
  for (const pid_t pid : tree)
    if (whom == Whom::both || pid == process.pid()) ::kill(pid, SIGKILL);
  if (whom == Whom::muster) relay.release();
  EXPECT_TRUE(wait_until([&] { return std::none_of(tree.begin() + 1, tree.end(), is_running); }));
  process.finish();
  return true;
}

}  // namespace muster::e2e
