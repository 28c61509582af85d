// SPDX-License-Identifier: Apache-2.0
// A view of contiguous items. It takes and gives Span without a cast; what it saves against it is compile time,
// since Span proves the iterator concepts anew for every type, a third of the umbrella (docs/decisions/0008).
#pragma once

#include <cstddef>

namespace spinel {

/// Pointer and length; never owns. From any container with data() and size() whose items it may point at (a const
/// container, a temporary of it too, for a Span<const T>), from an array, and from a pointer with a count.
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t n>
  constexpr Span(T (&items)[n]) noexcept : data_(items), size_(n) {}
  template <class Items>
    requires requires(Items&& items, T*& data) {
      data = items.data();
      items.size();
    }
  constexpr Span(Items&& items) noexcept : data_(items.data()), size_(items.size()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t k) const noexcept { return data_[k]; }
  constexpr T& front() const noexcept { return data_[0]; }
  constexpr T& back() const noexcept { return data_[size_ - 1]; }

  /// The first `count` items, the items from `begin` on, or `count` of those; all of them must be there.
  constexpr Span first(std::size_t count) const noexcept { return {data_, count}; }
  constexpr Span subspan(std::size_t begin) const noexcept { return {data_ + begin, size_ - begin}; }
  constexpr Span subspan(std::size_t begin, std::size_t count) const noexcept { return {data_ + begin, count}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spinel
