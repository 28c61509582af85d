// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string_view>
#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>

namespace {

using spinel::io::DetectorErrorModel;
using spinel::io::parse_dem;

DetectorErrorModel parsed(std::string_view text) {
  auto model = parse_dem(text);
  EXPECT_TRUE(model) << model.error();
  return model ? *model : DetectorErrorModel{};
}

/// One line a mechanism: "p: D.. L.. ^ ..", independent of dem_text.
std::string shown(const DetectorErrorModel& model) {
  std::string text;
  for (const auto& mechanism : model.mechanisms) {
    char p[32];
    std::snprintf(p, sizeof p, "%g:", mechanism.probability);
    text += p;
    for (auto c = mechanism.components_begin; c < mechanism.components_end; ++c) {
      if (c != mechanism.components_begin) text += " ^";
      const auto& component = model.components[c];
      for (auto d = component.detectors_begin; d < component.detectors_end; ++d)
        text += " D" + std::to_string(model.detectors[d]);
      for (int k = 0; k < 64; ++k)
        if ((component.observables >> k) & 1) text += " L" + std::to_string(k);
    }
    text += "\n";
  }
  return text;
}

std::vector<double> coordinates(const DetectorErrorModel& model, std::size_t detector) {
  if (model.coordinates_begin.empty()) return {};
  return {model.coordinates.begin() + model.coordinates_begin[detector],
          model.coordinates.begin() + model.coordinates_begin[detector + 1]};
}

TEST(Dem, ReadsEveryInstruction) {
  const auto model = parsed(
      "# a comment\n"
      "error[tag](1.25e-1) D0 D3 L1 ^ D2 # more\r\n"
      "\tERROR(+.5)\td1 l63\n"
      "\n"
      "error(0)\n"
      "detector(1, -2.5) D3\n"
      "detector D7\n"
      "logical_observable[x\\C] L2\n"
      "error(1) D4 D4 D5 L0 L0");
  EXPECT_EQ(shown(model), "0.125: D0 D3 L1 ^ D2\n0.5: D1 L63\n0:\n1: D5\n");
  EXPECT_EQ(model.n_detectors, 8u);
  EXPECT_EQ(model.n_observables, 64u);
  EXPECT_EQ(coordinates(model, 3), (std::vector{1.0, -2.5}));
  EXPECT_TRUE(coordinates(model, 7).empty());
}

TEST(Dem, UnrollsNestedRepeatBlocksWithShifts) {
  const auto model = parsed(
      "repeat 2 {\n"
      "  repeat[inner] 3 { error(0.25) D0 D1\n"
      "    detector(0, 5) D0\n"
      "    shift_detectors(0, 1) 1\n"
      "  }\n"
      "  repeat 0 {\n error(0.5) D9\n }\n"
      "  shift_detectors(10) 10\n"
      "}\n"
      "error(0.125) D0 L0\n");
  EXPECT_EQ(shown(model),
            "0.25: D0 D1\n0.25: D1 D2\n0.25: D2 D3\n0.25: D13 D14\n0.25: D14 D15\n0.25: D15 D16\n0.125: D26 L0\n");
  EXPECT_EQ(coordinates(model, 2), (std::vector{0.0, 7.0}));
  EXPECT_EQ(coordinates(model, 14), (std::vector{10.0, 9.0}));
  EXPECT_EQ(model.n_detectors, 27u);
  EXPECT_EQ(model.n_observables, 1u);
}

TEST(Dem, TheFirstDeclarationOfADetectorHolds) {
  const auto model = parsed("detector D0\ndetector(1) D1\ndetector(2) D0\ndetector(3, 4) D1\n");
  EXPECT_TRUE(coordinates(model, 0).empty());
  EXPECT_EQ(coordinates(model, 1), std::vector{1.0});
}

TEST(Dem, PrintsWhatItReads) {
  const char* texts[] = {
      ("error(0.1) D0 D1 L0 ^ D2 L3\nerror(1e-300) D5\nerror(0)\ndetector(1, 0.1, -3) D5\ndetector D9\n"
       "logical_observable L7\n"),
      "", "detector(2) D0\n", "error(0.30000000000000004) L1\n"};
  for (const auto* text : texts) {
    const auto model = parsed(text);
    const auto again = parsed(spinel::io::dem_text(model));
    EXPECT_EQ(shown(again), shown(model));
    EXPECT_EQ(again.n_detectors, model.n_detectors);
    EXPECT_EQ(again.n_observables, model.n_observables);
    EXPECT_EQ(again.coordinates_begin, model.coordinates_begin);
    EXPECT_EQ(again.coordinates, model.coordinates);
    ASSERT_EQ(again.mechanisms.size(), model.mechanisms.size());
    for (std::size_t k = 0; k < model.mechanisms.size(); ++k)
      EXPECT_EQ(again.mechanisms[k].probability, model.mechanisms[k].probability);
  }
}

TEST(Dem, RefusesDamagedTextsAndNamesThePlace) {
  const struct {
    const char* text;
    const char* place;
    const char* what;
  } cases[] = {
      {"error(0.1) D0\nerrors(0.1) D1\n", "line 2, column 1:", "unknown instruction 'errors'"},
      {"error(1.5) D0", "line 1, column 1:", "probability 1.5 is outside [0, 1]"},
      {"error(-0.1) D0", "line 1, column 1:", "probability -0.1 is outside [0, 1]"},
      {"error(nan) D0", "line 1, column 7:", "expected a number, found 'n'"},
      {"error(inf) D0", "line 1, column 7:", "expected a number, found 'i'"},
      {"error(-inf) D0", "line 1, column 7:", "expected a number"},
      {"error(1e999) D0", "line 1, column 7:", "does not fit a double"},
      {"error(0x1) D0", "line 1, column 8:", "expected ',' or ')'"},
      {"error() D0", "line 1, column 7:", "expected a number, found ')'"},
      {"error D0", "line 1, column 1:", "error takes 1 probability"},
      {"error(0.1, 0.2) D0", "line 1, column 1:", "found 2"},
      {"error(0.1", "line 1, column 10:", "found the end of the text"},
      {"error(0.1)D0", "line 1, column 11:", "expected a space"},
      {"error(0.1) D0^D1", "line 1, column 14:", "expected a space after a target"},
      {"error(0.1) ^ D0", "line 1, column 12:", "before '^'"},
      {"error(0.1) D0 ^ ^ D1", "line 1, column 17:", "before '^'"},
      {"error(0.1) D0 ^\n", "line 1, column 16:", "after '^'"},
      {"error(0.1) D0 5", "line 1, column 15:", "expected a target"},
      {"error(0.1) D1.5", "line 1, column 14:", "expected a space after a target, found '.'"},
      {"error(0.1) D-1", "line 1, column 13:", "expected a non-negative integer"},
      {"error(0.1) D99999999999999999999", "line 1, column 13:", "too large"},
      {"error(0.1) D4000000000", "line 1:", "detector index 4000000000"},
      {"shift_detectors 4000000000\nerror(0.1) D1", "line 2:", "detector index 4000000001"},
      {"repeat 9 {\nshift_detectors 4611686018427387903\n}", "line 2:", "sum of the detector shifts"},
      {"error(0.1) L64", "line 1, column 12:", "L0 to L63"},
      {"error[tag(0.1) D0\n]", "line 1, column 6:", "no closing ']'"},
      {"error[a\\q](0.1) D0", "line 1, column 9:", "in a tag, found 'q'"},
      {"error[tag", "line 1, column 6:", "no closing ']'"},
      {"error[tag\\", "line 1, column 11:", "in a tag, found the end"},
      {"repeat 3 {\nerror(0.1) D0\n", "line 1:", "no closing '}'"},
      {"error(0.1) D0\n}\n", "line 2, column 1:", "closes no repeat block"},
      {"repeat 3\n{\n}", "line 1, column 9:", "expected '{'"},
      {"repeat x {\n}", "line 1, column 8:", "expected a non-negative integer"},
      {"repeat(2) 3 {\n}", "line 1, column 1:", "no arguments"},
      {"repeat 1000000000000000000 {\nerror(0.1) D0\nshift_detectors 1\n}", "line 1:", "unrolls to too much"},
      {"repeat 1000000000000000000 {\n}", "line 1:", "unrolls to too much"},
      {"repeat 4000000000 {\nrepeat 4000000000 {\nrepeat 4000000000 {\nerror(0.1) D0\n}\n}\n}", "line 3:", "unrolls"},
      {"detector D0 D1", "line 1, column 1:", "detector takes 1 target, found 2"},
      {"detector L0", "line 1, column 10:", "not an observable"},
      {"logical_observable D0", "line 1, column 20:", "not a detector"},
      {"logical_observable(1) L0", "line 1, column 1:", "no arguments"},
      {"shift_detectors D5", "line 1, column 17:", "expected a non-negative integer"},
      {"shift_detectors(1)", "line 1, column 1:", "takes 1 target, found 0"},
      {"detector(1e308) D0\nshift_detectors(1e308) 1\ndetector(1e308) D0", "line 3:", "does not fit a double"},
      {"\x01\x02", "line 1, column 1:", "found byte 0x01"},
  };
  for (const auto& damaged : cases) {
    const auto model = parse_dem(damaged.text);
    ASSERT_FALSE(model) << damaged.text;
    EXPECT_EQ(model.error().rfind(damaged.place, 0), 0u) << damaged.text << "\n" << model.error();
    EXPECT_NE(model.error().find(damaged.what), std::string::npos) << damaged.text << "\n" << model.error();
  }
}

TEST(File, WritesReadsAndNamesThePathThatFails) {
  const auto path = (std::filesystem::temp_directory_path() / "spinel_file_test.bin").string();
  std::string bytes;
  for (int k = 0; k < 200000; ++k) bytes += static_cast<char>(static_cast<unsigned char>(k * 7));
  ASSERT_TRUE(spinel::io::write_file(path, bytes));
  const auto back = spinel::io::read_file(path);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(*back, bytes);
  std::filesystem::remove(path);
  const auto missing = spinel::io::read_file(path);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find(path), std::string::npos);
  EXPECT_FALSE(spinel::io::read_file(std::filesystem::temp_directory_path().string())) << "a directory";
  EXPECT_FALSE(spinel::io::write_file("/no/such/folder/file", bytes));
}

}  // namespace
