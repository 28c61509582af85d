// SPDX-License-Identifier: Apache-2.0
// Set-up of run-time sized engines in memory that the caller hands in: a bump allocator, never used after set-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <spinel/core/span.hpp>

namespace spinel {

/// Cuts aligned arrays from the caller's bytes. With a null base it only counts, so that one function
/// serves both to size the memory and to lay it out.
class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  constexpr Arena() noexcept = default;
  explicit Arena(Span<std::byte> memory) noexcept
      : base_(memory.data()), capacity_(memory.size()) {
    const auto misaligned = reinterpret_cast<std::uintptr_t>(base_) % alignment;
    if (misaligned != 0) used_ = alignment - misaligned;
  }

  /// `count` value-initialised items, 64-byte aligned; empty when counting or when the memory does not suffice.
  template <class T>
  Span<T> take(std::size_t count) noexcept {
    static_assert(__is_trivially_copyable(T), "arena items are never destroyed");
    static_assert(alignof(T) <= alignment);
    const std::size_t start = used_;
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    used_ += bytes;
    if (base_ == nullptr) return {};
    if (used_ > capacity_) {
      overflowed_ = true;
      return {};
    }
    T* first = reinterpret_cast<T*>(base_ + start);
    for (std::size_t k = 0; k < count; ++k) ::new (static_cast<void*>(first + k)) T{};
    return {first, count};
  }

  /// Bytes asked for so far; add `alignment` for memory of unknown alignment.
  constexpr std::size_t used() const noexcept { return used_; }
  constexpr bool overflowed() const noexcept { return overflowed_; }

 private:
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  bool overflowed_ = false;
};

}  // namespace spinel
