// SPDX-License-Identifier: Apache-2.0
// The public measurements against the keys that their own tools obtained: every keyed parameter within its tolerance, every trap refused
// or resolved. The program's own readers are compiled in, so that the test sees what the program sees.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <examples/cli/calibration_io.cpp>
#include <filesystem>

namespace {

using nlohmann::json;
namespace cli = spinel::cli;
const std::string folder = std::string{SPINEL_SHARED_DIR}.append("/calibration/");

TEST(Measurements, EveryKeyedParameterIsWithinItsTolerance) {
  if (!std::filesystem::exists(folder + "answers.json")) {
    std::fprintf(stderr, "*** SKIPPED: %sanswers.json is absent; the real measurements were NOT checked ***\n", folder.c_str());
    GTEST_SKIP() << "no measurements at " << folder;
  }
  const auto answers = json::parse(cli::read_file(folder + "answers.json"));
  std::vector<double> scratch;
  int keyed = 0;
  for (const auto& entry : answers["datasets"]) {
    const auto id = entry["id"].get<std::string>();
    if (spinel::calib::parse_family(entry["family"].get<std::string>()) == spinel::calib::Family::unknown) continue;
    // The tool's own constraints are left out: the defaults have to find them.
    json request_json = {{"family", entry["family"]}, {"columns", entry["columns"]}, {"meta", entry["meta"]}};
    request_json["meta"].erase("upstream_constraints");
    const auto path = folder + entry["file"].get<std::string>();
    const auto request = cli::parse_request(id, request_json);
    const auto trace = cli::parse_trace(path, cli::read_file(path));
    const auto decision = cli::decide(request, trace, {}, scratch);
    if (entry["expected_status"].is_string()) {
      EXPECT_EQ(entry["expected_status"].get<std::string>(), to_string(decision.code)) << id;
    }
    for (const auto& [name, answer] : entry["answers"].items()) {
      const auto* parameter = decision.find(name);
      ASSERT_NE(parameter, nullptr) << id << " lacks " << name;
      const double key = answer["value"].get<double>();
      double tolerance = 0;
      if (answer.contains("tol_abs")) tolerance = answer["tol_abs"].get<double>();
      else if (answer.contains("tol_rel")) tolerance = answer["tol_rel"].get<double>() * std::fabs(key);
      else tolerance = answer.value("tol_nsigma", 3.0) * answer.value("stderr", parameter->stderr_value);
      double difference = parameter->value - key;
      if (name == "acq_rotation_rad") difference = std::remainder(difference, spinel::calib::two_pi);
      EXPECT_LE(std::fabs(difference), tolerance) << id << " " << name << " = " << parameter->value << ", key " << key;
      ++keyed;
    }
  }
  EXPECT_GE(keyed, 80);
}

}  // namespace
