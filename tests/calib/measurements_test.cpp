// SPDX-License-Identifier: Apache-2.0
// The public measurements against the keys that their own tools obtained: every keyed parameter within its tolerance, every trap refused
// or resolved. The program's own readers are compiled in, so that the test sees what the program sees.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <examples/cli/calibration_io.cpp>
#include <filesystem>
#include <random>

namespace {

using nlohmann::json;
namespace cli = spinel::cli;
const std::string folder = std::string{SPINEL_SHARED_DIR}.append("/calibration/");

/// One public measurement as the program would read it, and its key.
struct Measurement {
  std::string id;
  cli::RequestFile request;
  cli::TraceFile trace;
  json entry;
};

const std::vector<Measurement>& measurements() {
  static const std::vector<Measurement> all = [] {
    std::vector<Measurement> out;
    if (!std::filesystem::exists(folder + "answers.json")) {
      std::fprintf(stderr, "*** SKIPPED: %sanswers.json is absent; the real measurements were NOT checked ***\n", folder.c_str());
      return out;
    }
    const auto answers = json::parse(cli::read_file(folder + "answers.json"));
    for (const auto& entry : answers["datasets"]) {
      if (spinel::calib::parse_family(entry["family"].get<std::string>()) == spinel::calib::Family::unknown) continue;
      // The tool's own constraints are left out: the defaults have to find them.
      json request = {{"family", entry["family"]}, {"columns", entry["columns"]}, {"meta", entry["meta"]}};
      request["meta"].erase("upstream_constraints");
      const auto id = entry["id"].get<std::string>(), path = folder + entry["file"].get<std::string>();
      out.push_back({id, cli::parse_request(id, request), cli::parse_trace(path, cli::read_file(path)), entry});
    }
    return out;
  }();
  return all;
}

double tolerance_of(const json& answer, double stderr_value) {
  const double key = answer["value"].get<double>();
  if (answer.contains("tol_abs")) return answer["tol_abs"].get<double>();
  if (answer.contains("tol_rel")) return answer["tol_rel"].get<double>() * std::fabs(key);
  return answer.value("tol_nsigma", 3.0) * answer.value("stderr", stderr_value);
}

double distance(const std::string& name, double value, double key) {
  return std::fabs(name == "acq_rotation_rad" ? std::remainder(value - key, spinel::calib::two_pi) : value - key);
}

bool is_axis(const Measurement& m, std::size_t column) {
  return column == 0 || (column == 1 && (m.trace.names[1].starts_with("flux") || m.trace.names[1].starts_with("bias"))) || m.trace.names[column] == "prepared_state" ||
         m.trace.names[column].starts_with("shots") || m.trace.names[column].starts_with("sample") || m.trace.names[column].starts_with("phase") ||
         m.trace.names[column].find("_ph_") != std::string::npos;
}

TEST(Measurements, EveryKeyedParameterIsWithinItsTolerance) {
  if (measurements().empty()) GTEST_SKIP() << "no measurements at " << folder;
  std::vector<double> scratch;
  int keyed = 0;
  for (const auto& m : measurements()) {
    const auto decision = cli::decide(m.request, m.trace, {}, scratch);
    if (m.entry["expected_status"].is_string()) {
      EXPECT_EQ(m.entry["expected_status"].get<std::string>(), to_string(decision.code)) << m.id;
    }
    for (const auto& [name, answer] : m.entry["answers"].items()) {
      const auto* parameter = decision.find(name);
      ASSERT_NE(parameter, nullptr) << m.id << " lacks " << name;
      const double key = answer["value"].get<double>();
      EXPECT_LE(distance(name, parameter->value, key), tolerance_of(answer, parameter->stderr_value)) << m.id << " " << name << " = " << parameter->value << ", key " << key;
      ++keyed;
    }
  }
  EXPECT_GE(keyed, 80);
}

TEST(Measurements, UnitOfTheSignalAndOrderOfTheRowsDoNotMatter) {
  if (measurements().empty()) GTEST_SKIP() << "no measurements at " << folder;
  std::vector<double> scratch;
  for (const auto& m : measurements()) {
    const auto before = cli::decide(m.request, m.trace, {}, scratch);
    for (const double scale : {1e-6, 1e5}) {
      // Populations and counts have no unit; levels in the request would have to be scaled with the trace.
      if (m.request.meta.has_cal_levels || before.family == spinel::calib::Family::pingpong || m.trace.names[1].starts_with("survival") || m.trace.names[1].starts_with("prob")) continue;
      auto scaled = m.trace;
      for (std::size_t k = 1; k < scaled.names.size(); ++k)
        if (!is_axis(m, k))
          for (double& value : scaled.values[k]) value *= scale;
      const auto after = cli::decide(m.request, scaled, {}, scratch);
      EXPECT_EQ(before.code, after.code) << m.id << " times " << scale;
      for (const auto& [name, answer] : m.entry["answers"].items()) {
        const std::string unit = before.find(name)->unit;
        if (unit == "V" || name.find("threshold") != std::string::npos || name == "leakage") continue;
        EXPECT_NEAR(after.find(name)->value, before.find(name)->value, 1e-5 * std::fabs(before.find(name)->value) + 0.02 * tolerance_of(answer, before.find(name)->stderr_value)) << m.id << " " << name;
      }
    }
    const std::string_view first = m.trace.names[0];
    const auto family = before.family;
    const bool ordered = first.starts_with("index") || first.starts_with("sample") || family == spinel::calib::Family::drag || family == spinel::calib::Family::time_of_flight || first == "prepared_state";
    if (ordered) continue;
    auto reversed = m.trace;
    for (auto& column : reversed.values) std::reverse(column.begin(), column.end() - m.request.meta.cal_points);
    const auto after = cli::decide(m.request, reversed, {}, scratch);
    EXPECT_EQ(before.code, after.code) << m.id << " reversed";
    for (const auto& [name, answer] : m.entry["answers"].items())
      EXPECT_NEAR(after.find(name)->value, before.find(name)->value, 1e-6 * std::fabs(before.find(name)->value) + 0.02 * tolerance_of(answer, before.find(name)->stderr_value)) << m.id << " " << name << " reversed";
  }
}

TEST(Measurements, FewerAndNoisierPointsKeepTheAnswer) {
  if (measurements().empty()) GTEST_SKIP() << "no measurements at " << folder;
  std::vector<double> scratch;
  std::mt19937_64 generator{11};
  int good = 0, all = 0, refused = 0;
  for (const auto& m : measurements()) {
    const auto before = cli::decide(m.request, m.trace, {}, scratch);
    const auto family = before.family;
    // Sequences of fixed length have no points to spare.
    if (family == spinel::calib::Family::allxy || family == spinel::calib::Family::drag || family == spinel::calib::Family::time_of_flight || m.entry["answers"].empty()) continue;
    const bool map = family == spinel::calib::Family::resonator_flux_map || family == spinel::calib::Family::qubit_flux_map;
    const bool shots = family == spinel::calib::Family::gmm;
    for (int trial = 0; trial < (map ? 1 : 6); ++trial) {
      // More noise on single shots makes another readout, with another fidelity and another best angle.
      if (shots && trial % 2 == 1) continue;
      auto changed = m.trace;
      if (trial % 2 == 0) {
        // Nine of ten rows, in a new draw each time; calibration points stay.
        const std::size_t rows = changed.rows(), sweep = rows - static_cast<std::size_t>(m.request.meta.cal_points);
        std::vector<bool> keep(rows, true);
        for (std::size_t k = 1; k + 1 < sweep; ++k) keep[k] = generator() % 10 != 0;
        for (auto& column : changed.values) {
          std::size_t n = 0;
          for (std::size_t k = 0; k < rows; ++k)
            if (keep[k]) column[n++] = column[k];
          column.resize(n);
        }
      } else {
        // Noise of half the trace's own.
        for (std::size_t k = 1; k < changed.names.size(); ++k) {
          if (is_axis(m, k) || changed.names[k].find("stderr") != std::string::npos || changed.names[k].starts_with("err")) continue;
          std::vector<double> memory(changed.rows() + 8);
          spinel::calib::Workspace workspace{memory};
          std::normal_distribution<double> noise{0.0, 0.5 * spinel::calib::noise_level(changed.values[k], workspace)};
          for (double& value : changed.values[k]) value += noise(generator);
        }
      }
      const auto after = cli::decide(m.request, changed, {}, scratch);
      for (const auto& [name, answer] : m.entry["answers"].items()) {
        const auto* parameter = after.find(name);
        ++all;
        if (parameter == nullptr || (before.reliability == spinel::calib::Reliability::reliable && after.reliability != spinel::calib::Reliability::reliable)) {
          ++refused;
          continue;
        }
        // What new noise or fewer points may move: the tolerance, or three standard errors.
        const double key = answer["value"].get<double>(), room = std::max(tolerance_of(answer, parameter->stderr_value), 3 * parameter->stderr_value);
        const bool inside = distance(name, parameter->value, key) <= room;
        good += inside ? 1 : 0;
        if (!inside) std::printf("  %s trial %d: %s = %.6g, key %.6g, room %.2g\n", m.id.c_str(), trial, name.c_str(), parameter->value, key, room);
      }
    }
  }
  std::printf("  %d of %d within tolerance, %d refused\n", good, all, refused);
  EXPECT_GE(good, 0.95 * all);
  EXPECT_LE(refused, 0.03 * all);
}

}  // namespace
