#include "yaml/scalar.h"

#include <cmath>

#include <gtest/gtest.h>

namespace muster::yaml {
namespace {

std::string describe(const Scalar& scalar) {
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) return "int " + std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&scalar)) return "float " + std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&scalar)) return "'" + *text + "'";
  return "null";
}

std::string read(const std::string& text, Schema schema) {
  Node node;
  node.text = text;
  return describe(resolve(node, schema));
}

struct Case {
  const char* text;
  const char* core;
  const char* old;  // as PyYAML reads it
};

TEST(Scalar, BothSchemasReadTheSameTextAsTheirSpecificationsSay) {
  const Case cases[] = {
      {"", "null", "null"},
      {"~", "null", "null"},
      {"Null", "null", "null"},
      {"nULL", "'nULL'", "'nULL'"},
      {"true", "true", "true"},
      {"FALSE", "false", "false"},
      {"yes", "'yes'", "true"},
      {"No", "'No'", "false"},
      {"on", "'on'", "true"},
      {"OFF", "'OFF'", "false"},
      {"y", "'y'", "'y'"},
      {"0", "int 0", "int 0"},
      {"-12", "int -12", "int -12"},
      {"+7", "int 7", "int 7"},
      {"010", "int 10", "int 8"},
      {"0o10", "int 8", "'0o10'"},
      {"0x1F", "int 31", "int 31"},
      {"-0x1F", "'-0x1F'", "int -31"},
      {"0b101", "'0b101'", "int 5"},
      {"089", "int 89", "'089'"},
      {"1_000", "'1_000'", "int 1000"},
      {"_1", "'_1'", "'_1'"},
      {"22:22", "'22:22'", "int 1342"},
      {"22:61", "'22:61'", "'22:61'"},
      {"1:2:3", "'1:2:3'", "int 3723"},
      {"0:1", "'0:1'", "'0:1'"},
      {"1:30.5", "'1:30.5'", "float 90.500000"},
      {"1.5", "float 1.500000", "float 1.500000"},
      {".5", "float 0.500000", "float 0.500000"},
      {"-.5", "float -0.500000", "'-.5'"},
      {"5.", "float 5.000000", "float 5.000000"},
      {"1e3", "float 1000.000000", "'1e3'"},
      {"1.0e3", "float 1000.000000", "'1.0e3'"},
      {"1.0e+3", "float 1000.000000", "float 1000.000000"},
      {".inf", "float inf", "float inf"},
      {"-.Inf", "float -inf", "float -inf"},
      {".", "'.'", "'.'"},
      {"-", "'-'", "'-'"},
      {"+", "'+'", "'+'"},
      {"1.2.3", "'1.2.3'", "'1.2.3'"},
      {"10.0.0.1", "'10.0.0.1'", "'10.0.0.1'"},
      {"2001-12-14", "'2001-12-14'", "'2001-12-14'"},
      {"9223372036854775807", "int 9223372036854775807", "int 9223372036854775807"},
      {"-9223372036854775808", "int -9223372036854775808", "int -9223372036854775808"},
      {"9223372036854775808", "'9223372036854775808'", "'9223372036854775808'"},
      {"web1", "'web1'", "'web1'"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(read(one.text, Schema::core_1_2), one.core) << one.text;
    EXPECT_EQ(read(one.text, Schema::yaml_1_1), one.old) << one.text;
  }
  EXPECT_EQ(read(".nan", Schema::core_1_2).substr(0, 5), "float");
}

TEST(Scalar, QuotesAndTagsDecide) {
  Node node;
  node.text = "5";
  node.plain = false;
  EXPECT_EQ(describe(resolve(node, Schema::core_1_2)), "'5'");
  node.tag = "tag:yaml.org,2002:int";
  EXPECT_EQ(describe(resolve(node, Schema::core_1_2)), "int 5");
  node.tag = "tag:yaml.org,2002:float";
  EXPECT_EQ(describe(resolve(node, Schema::core_1_2)), "float 5.000000");
  node.plain = true;
  for (const char* tag : {"tag:yaml.org,2002:str", "!unsafe", "!"}) {
    node.tag = tag;
    EXPECT_EQ(describe(resolve(node, Schema::core_1_2)), "'5'") << tag;
  }
}

}  // namespace
}  // namespace muster::yaml
