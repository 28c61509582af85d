// SPDX-License-Identifier: Apache-2.0
// Windows of a stream under a deadline: the better, slower engine where it will be done in time, else the exact one, which answers
// locally for what it cannot match in time. How long the better engine takes is learned while running, from the deadline's own
// clock, and remembered pessimistically: a slow window raises the estimate at once, fast ones lower it slowly.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>
#include <spinel/decode/stream_window.hpp>

namespace spinel {

/// `Better` cannot be interrupted (GraphWindow); `Exact` can (LatticeWindow). Both must be set up, by `better()` and `exact()`.
template <StreamExperiment stream, class Better = CorrelatedLatticeWindow<stream>, class Exact = LatticeWindow<stream>>
class ChainWindow {
 public:
  static constexpr MemoryExperiment model_experiment = Exact::model_experiment;
  using Layout = typename Exact::Layout;
  static constexpr Layout layout = Exact::layout;
  static constexpr int first_layer = Exact::first_layer, last_layer = Exact::last_layer;
  static constexpr int first_buffer_layer = Exact::first_buffer_layer;

  Better& better() noexcept { return better_; }
  Exact& exact() noexcept { return exact_; }

  /// Without a deadline the better engine. `WindowAnswer::engine` says which one it was.
  template <class Toggle>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const NoDeadline& = {}) noexcept {
    return better_.decode(kind, events, toggle);
  }
  template <class Toggle, class Clock>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const Deadline<Clock>& deadline) noexcept {
    const auto n = static_cast<std::int64_t>(events.size()) + 1;
    const std::int64_t start = deadline.clock();
    if (start + expected(n) > deadline.at) {
      // Every answer that is not tried lets the estimate sink a little, or one hiccup of the machine would shut it out for good.
      cost_ -= cost_ >> 10;
      return exact_.decode(kind, events, toggle, deadline);
    }
    const WindowAnswer answer = better_.decode(kind, events, toggle);
    const std::int64_t cost = ((deadline.clock() - start) << cost_bits) / n;
    cost_ = cost > cost_ ? cost : cost_ - (cost_ >> 8);
    return answer;
  }

  /// What the better engine is expected to take at most for `n` events, in the clock's unit.
  std::int64_t expected(std::int64_t n) const noexcept { return (cost_ * n) >> cost_bits; }
  /// Sets that estimate, for one event (the learned one otherwise begins at nothing).
  void expect(std::int64_t per_event) noexcept { cost_ = per_event << cost_bits; }
  std::size_t table_bytes() const noexcept { return exact_.table_bytes(); }

 private:
  static constexpr int cost_bits = 8;
  std::int64_t cost_ = 0;
  Better better_;
  Exact exact_;
};

}  // namespace spinel
