// SPDX-License-Identifier: Apache-2.0
// The dependency graph of calibrations: which experiment to run so that a node is calibrated, at the least cost. A node is brought in order
// after its parents; bad data send the search to the parents. Source: Kelly, O'Malley, Neeley, Neven, Martinis, arXiv 1803.03226 ("Optimus").
#pragma once

#include <cstdint>

#include <spinel/calib/codes.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// What a check of the data says: in its tolerance, out of it, or no sense can be made of them, which points at a parent.
enum class CheckResult : std::uint8_t { in_spec, out_of_spec, bad_data };

/// Reads a verdict as the result of a data check.
constexpr CheckResult check_result(Code code, bool inside_tolerance) noexcept {
  switch (code) {
    case Code::SUCCESS: case Code::STABLE: case Code::NO_EVENT: case Code::EVENT:
      return inside_tolerance ? CheckResult::in_spec : CheckResult::out_of_spec;
    case Code::RANGE_TOO_NARROW: case Code::TOO_FEW_OSC: case Code::TOO_MANY_OSC: case Code::WINDOW_TOO_SHORT: case Code::SAMPLING_TOO_COARSE:
    case Code::UNDERSAMPLED: case Code::NO_DETUNING: case Code::OPTIMAL_NOT_CENTERED: case Code::PARAM_AT_EDGE: case Code::MODERATE_ERROR:
    case Code::AMP_TOO_HIGH: case Code::HIGH_POWER: case Code::ILL_CONDITIONED: case Code::DETUNED:
      return CheckResult::out_of_spec;
    default:
      return CheckResult::bad_data;
  }
}

/// One calibration. Times and costs in seconds.
struct CalibrationNode {
  Family family = Family::unknown;
  FixedVector<std::uint8_t, 6> parents{};
  double horizon_s = 3600;         ///< mean time until the parameter leaves its tolerance
  double check_cost_s = 10, calibrate_cost_s = 60;
  // == Since the last run ==
  double calibrated_at_s = -spinel::infinity, checked_at_s = -spinel::infinity;
};

/// Probability that a node checked or calibrated at `since` has left its tolerance by `now`.
inline double drift_probability(const CalibrationNode& node, double now) noexcept {
  const double age = now - spinel::max(node.calibrated_at_s, node.checked_at_s);
  return age < spinel::infinity ? 1 - spinel::exp(-spinel::max(age, 0.0) / node.horizon_s) : 1.0;
}

enum class Step : std::uint8_t { nothing, check_data, calibrate };

/// The cheapest sufficient step: nothing while the risk is under `risk`; a check while it saves more than it costs (c < (1 - p) C, p the
/// probability that calibration is needed anyway); else calibration at once.
inline Step cheapest_step(const CalibrationNode& node, double now, double risk) noexcept {
  const double p = drift_probability(node, now);
  if (p < risk) return Step::nothing;
  return node.check_cost_s < (1 - p) * node.calibrate_cost_s ? Step::check_data : Step::calibrate;
}

/// Walks the graph without recursion. `Operations` offers `CheckResult check_data(std::size_t)` and `bool calibrate(std::size_t)`; both run
/// the experiment. Nodes are numbered so that parents come before children.
template <std::size_t capacity, class Operations>
class CalibrationGraph {
 public:
  CalibrationGraph(Span<CalibrationNode> nodes, Operations& operations, double risk = 0.2) noexcept : nodes_(nodes), operations_(operations), risk_(risk) {}

  /// False when the graph has too many nodes or a parent does not come before its child.
  bool valid() const noexcept {
    if (nodes_.size() > capacity) return false;
    for (std::size_t k = 0; k < nodes_.size(); ++k)
      for (const auto parent : nodes_[k].parents)
        if (parent >= k) return false;
    return true;
  }

  /// Brings `target` and everything it rests on in order at time `now`. False when a calibration failed; the walk stops there.
  bool maintain(std::size_t target, double now) noexcept {
    if (!valid() || target >= nodes_.size()) return false;
    now_ = now;
    bool needed[capacity]{};
    needed[target] = true;
    for (std::size_t k = target + 1; k-- > 0;)
      if (needed[k])
        for (const auto parent : nodes_[k].parents) needed[parent] = true;
    // Parents come before children, so going up the numbers is the depth-first order with each node visited once.
    for (std::size_t k = 0; k <= target; ++k) {
      if (!needed[k]) continue;
      bool stale = false;
      for (const auto parent : nodes_[k].parents) stale = stale || nodes_[parent].calibrated_at_s > nodes_[k].calibrated_at_s;
      Step step = cheapest_step(nodes_[k], now_, risk_);
      // A parent that was calibrated again voids what the child's age says; a check is then the least that is sufficient.
      if (stale && step == Step::nothing) step = Step::check_data;
      if (step == Step::nothing) continue;
      if (step == Step::check_data) {
        const auto result = operations_.check_data(k);
        if (result == CheckResult::in_spec) {
          nodes_[k].checked_at_s = now_;
          continue;
        }
        if (result == CheckResult::bad_data && !diagnose_parents(k)) return false;
      }
      if (!run(k)) return false;
    }
    return true;
  }

 private:
  bool run(std::size_t k) noexcept {
    if (!operations_.calibrate(k)) return false;
    nodes_[k].calibrated_at_s = nodes_[k].checked_at_s = now_;
    return true;
  }

  /// Diagnoses every parent of `node`, each after its own parents where its data are bad. A parent whose data are bad although none of its
  /// parents had to be calibrated is calibrated itself. Explicit stack: a node and which of its parents is next.
  bool diagnose_parents(std::size_t node) noexcept {
    struct Frame {
      std::size_t node = 0, next = 0;
    };
    FixedVector<Frame, capacity + 1> stack;
    bool settled[capacity]{};
    stack.push_back({node, 0});
    while (!stack.empty()) {
      auto& top = stack.back();
      if (top.next < nodes_[top.node].parents.size()) {
        const std::size_t parent = nodes_[top.node].parents[top.next++];
        if (settled[parent]) continue;
        settled[parent] = true;
        const auto result = operations_.check_data(parent);
        if (result == CheckResult::in_spec) nodes_[parent].checked_at_s = now_;
        else if (result == CheckResult::out_of_spec) {
          if (!run(parent)) return false;
        } else {
          stack.push_back({parent, 0});
        }
        continue;
      }
      const std::size_t done = top.node;
      stack.pop_back();
      // The node itself is calibrated by the caller; a parent with bad data after its own parents.
      if (!stack.empty() && !run(done)) return false;
    }
    return true;
  }

  Span<CalibrationNode> nodes_;
  Operations& operations_;
  double risk_, now_ = 0;
};

}  // namespace spinel::calib
