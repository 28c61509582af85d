// SPDX-License-Identifier: Apache-2.0
// A vector whose capacity is part of its type: no heap, usable in constant expressions.
#pragma once

#include <cstddef>

namespace spinel {

/// At most `capacity` values of a default-constructible T, stored inside the object.
template <class T, std::size_t capacity_>
struct FixedVector {
  T items[capacity_ == 0 ? 1 : capacity_]{};
  std::size_t count = 0;

  static constexpr std::size_t capacity() noexcept { return capacity_; }
  constexpr std::size_t size() const noexcept { return count; }
  constexpr bool empty() const noexcept { return count == 0; }
  constexpr bool full() const noexcept { return count == capacity_; }
  constexpr void clear() noexcept { count = 0; }
  /// Appends, or returns false and changes nothing when full.
  constexpr bool push_back(const T& item) noexcept {
    if (count == capacity_) return false;
    items[count++] = item;
    return true;
  }
  constexpr void pop_back() noexcept { --count; }
  constexpr T& operator[](std::size_t k) noexcept { return items[k]; }
  constexpr const T& operator[](std::size_t k) const noexcept { return items[k]; }
  constexpr T& back() noexcept { return items[count - 1]; }
  constexpr const T& back() const noexcept { return items[count - 1]; }
  constexpr T* begin() noexcept { return items; }
  constexpr T* end() noexcept { return items + count; }
  constexpr const T* begin() const noexcept { return items; }
  constexpr const T* end() const noexcept { return items + count; }
};

}  // namespace spinel
