// What a guest's agent answers, which may be anything: a guest must not keep its machine from being deleted.
#include "vm/guest_command.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::vm {
namespace {

TEST(GuestCommand, AnAnswerIsRead) {
  EXPECT_EQ(started_process(R"({"return":{"pid":17}})"), 17);
  EXPECT_FALSE(ended_process(R"({"return":{"exited":false}})"));
  const auto done = ended_process(R"({"return":{"exited":true,"exitcode":3,"out-data":"aGk=","err-data":"IQ=="}})");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, 3);
  EXPECT_EQ(done->output, "hi!");
  EXPECT_EQ(ended_process(R"({"return":{"exited":true,"signal":9}})")->status, -1);
}

TEST(GuestCommand, WhatMakesNoSenseIsNoAnswer) {
  for (const char* answer : {"", "[]", "{", R"({"return":[]})", R"({"return":{}})", R"({"return":{"pid":"x"}})",
                             R"({"return":{"exited":"yes"}})", R"({"return":{"exited":true,"exitcode":"0"}})"}) {
    SCOPED_TRACE(answer);
    for (const bool start : {true, false}) {
      try {
        start ? static_cast<void>(started_process(answer)) : static_cast<void>(ended_process(answer));
        ADD_FAILURE() << "understood";
      } catch (const base::Error& e) {
        EXPECT_EQ(e.code(), base::Code::unsupported);
      }
    }
  }
  EXPECT_EQ(ended_process(R"({"return":{"exited":true,"exitcode":0,"out-data":7}})")->output, "");
}

}  // namespace
}  // namespace muster::vm
