// SPDX-License-Identifier: Apache-2.0
// Scratch doubles that the caller hands to the engine: every array of a decision is cut from here, never from the heap.
#pragma once

#include <cstddef>

#include <spinel/core/span.hpp>

namespace spinel::calib {

/// A stack of doubles over the caller's memory. `take` returns an empty span when the memory does not suffice; the engine
/// then answers BAD_INPUT and says so.
class Workspace {
 public:
  explicit Workspace(Span<double> memory) noexcept : memory_(memory) {}

  Span<double> take(std::size_t count) noexcept {
    if (count > memory_.size() - used_) {
      overflowed_ = true;
      return {};
    }
    const auto part = memory_.subspan(used_, count);
    used_ += count;
    return part;
  }
  std::size_t mark() const noexcept { return used_; }
  void release(std::size_t mark) noexcept { used_ = mark; }
  bool overflowed() const noexcept { return overflowed_; }

 private:
  Span<double> memory_;
  std::size_t used_ = 0;
  bool overflowed_ = false;
};

/// Returns the workspace to where it stood when the scope ends.
class ScratchScope {
 public:
  explicit ScratchScope(Workspace& workspace) noexcept : workspace_(workspace), mark_(workspace.mark()) {}
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;
  ~ScratchScope() { workspace_.release(mark_); }

 private:
  Workspace& workspace_;
  std::size_t mark_;
};

/// Doubles that a decision over `rows` rows and `columns` columns needs at most.
constexpr std::size_t workspace_doubles(std::size_t rows, std::size_t columns) noexcept {
  return rows * (40 + 2 * columns) + 4096;
}

}  // namespace spinel::calib
