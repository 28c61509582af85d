// SPDX-License-Identifier: Apache-2.0
// Windows of a stream under a deadline, from the best answer to the one that is always in time: correlated matching, exact, union-find,
// local. The first two are one engine, interrupted where its time is over (stream_window.hpp); early enough for union-find, whose work
// is bounded and therefore known beforehand. What is not done in time even so is answered locally.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>
#include <spinel/decode/graph_window.hpp>
#include <spinel/decode/stream_window.hpp>
#include <spinel/match/union_find.hpp>

namespace spinel {

/// `Best` is LatticeWindow or CorrelatedLatticeWindow. Both must be set up, by `best()` and `union_find()`.
template <StreamExperiment stream, class Best = CorrelatedLatticeWindow<stream>>
class ChainWindow {
 public:
  using UnionFindWindow = GraphWindow<stream, UnionFind>;
  static constexpr MemoryExperiment model_experiment = Best::model_experiment;
  using Layout = typename Best::Layout;
  static constexpr Layout layout = Best::layout;
  static constexpr int first_layer = Best::first_layer, last_layer = Best::last_layer;
  static constexpr int first_buffer_layer = Best::first_buffer_layer;

  Best& best() noexcept { return best_; }
  UnionFindWindow& union_find() noexcept { return union_find_; }

  /// `WindowAnswer::engine` says who answered: union-find where it settled what the best engine had no time for.
  template <class Toggle>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const NoDeadline& = {}) noexcept {
    return best_.decode(kind, events, toggle);
  }
  template <class Toggle, class Clock>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const Deadline<Clock>& deadline) noexcept {
    const auto n = static_cast<std::int64_t>(events.size()) + 1;
    const std::int64_t needed = expected(n);
    // Half as long again for the search that is under way when union-find must begin. Where that leaves the better engines less than half
    // of the time they do better with all of it.
    const std::int64_t reserve = needed + needed / 2;
    const bool is_kept = 2 * reserve <= deadline.left();
    const auto union_find = [&](WindowAnswer& answer) {
      const std::int64_t start = deadline.clock();
      // The first answer teaches what it costs, however late.
      if (cost_ > 0 && (!is_kept || start + needed > deadline.at)) {
        // Every answer that is not tried lets the estimate sink a little, or one hiccup of the machine would shut it out for good.
        cost_ -= cost_ >> 10;
        return false;
      }
      answer = union_find_.decode(kind, events, toggle);
      const std::int64_t cost = ((deadline.clock() - start) << cost_bits) / n;
      cost_ = cost > cost_ ? cost : cost_ - (cost_ >> 8);
      return true;
    };
    return best_.decode(kind, events, toggle, Deadline<Clock>{deadline.clock, deadline.at - (is_kept ? reserve : 0)}, union_find);
  }

  /// What union-find is expected to take at most for `n` events, in the clock's unit: learned while running, from the deadline's own
  /// clock, and remembered pessimistically: a slow window raises it at once, fast ones lower it slowly.
  std::int64_t expected(std::int64_t n) const noexcept { return (cost_ * n) >> cost_bits; }
  /// Sets that estimate, for one event. Without it the first answer of union-find is late.
  void expect(std::int64_t per_event) noexcept { cost_ = per_event << cost_bits; }
  std::size_t table_bytes() const noexcept { return best_.table_bytes(); }

 private:
  static constexpr int cost_bits = 8;
  std::int64_t cost_ = 0;
  Best best_;
  UnionFindWindow union_find_;
};

}  // namespace spinel
