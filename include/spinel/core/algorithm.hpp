// SPDX-License-Identifier: Apache-2.0
// The few algorithms that the headers need, on pointers. The standard header that has them is a tenth of a second of
// every user's compilation and its sort some 30 instantiations a call; these are neither (docs/decisions/0008).
#pragma once

#include <cstddef>

namespace spinel {

template <class T>
constexpr const T& min(const T& a, const T& b) noexcept {
  return b < a ? b : a;
}

template <class T>
constexpr const T& max(const T& a, const T& b) noexcept {
  return a < b ? b : a;
}

/// `value`, or the nearer end of [low, high]; NaN stays NaN.
template <class T>
constexpr const T& clamp(const T& value, const T& low, const T& high) noexcept {
  return value < low ? low : high < value ? high : value;
}

template <class T>
constexpr void swap(T& a, T& b) noexcept {
  const T old = a;
  a = b;
  b = old;
}

/// True if the arrays [a, a_end) and b.. of the same length hold equal items.
template <class T>
constexpr bool equal(const T* a, const T* a_end, const T* b) noexcept {
  for (; a != a_end; ++a, ++b) {
    if (!(*a == *b)) return false;
  }
  return true;
}

/// Copies [first, last) to `to`, which does not overlap it.
template <class T>
constexpr void copy(const T* first, const T* last, T* to) noexcept {
  while (first != last) *to++ = *first++;
}

/// The largest of [first, last), which is not empty; the first of several.
template <class T>
constexpr T* max_element(T* first, T* last) noexcept {
  T* best = first;
  for (; first != last; ++first) {
    if (*best < *first) best = first;
  }
  return best;
}

/// The least of [first, last), which is not empty; the first of several.
template <class T>
constexpr T* min_element(T* first, T* last) noexcept {
  T* best = first;
  for (; first != last; ++first) {
    if (*first < *best) best = first;
  }
  return best;
}

struct Less {
  template <class T>
  constexpr bool operator()(const T& a, const T& b) const noexcept {
    return a < b;
  }
};

namespace detail {

/// Moves `item` down the heap `heap` of `size` items from the free place `hole`.
template <class T, class Before>
constexpr void sift_down(T* heap, std::size_t hole, std::size_t size, const T item, const Before& before) noexcept {
  for (std::size_t child = 2 * hole + 1; child < size; child = 2 * hole + 1) {
    if (child + 1 < size && before(heap[child], heap[child + 1])) ++child;
    if (!before(item, heap[child])) break;
    heap[hole] = heap[child];
    hole = child;
  }
  heap[hole] = item;
}

}  // namespace detail

/// Moves the last item of [first, last) to its place in the max-heap that the items before it are.
template <class T, class Before = Less>
constexpr void push_heap(T* first, T* last, const Before& before = {}) noexcept {
  std::size_t hole = static_cast<std::size_t>(last - first) - 1;
  const T item = first[hole];
  for (; hole > 0 && before(first[(hole - 1) / 2], item); hole = (hole - 1) / 2) first[hole] = first[(hole - 1) / 2];
  first[hole] = item;
}

/// Moves the largest item of the max-heap [first, last), which is not empty, behind the heap of the others.
template <class T, class Before = Less>
constexpr void pop_heap(T* first, T* last, const Before& before = {}) noexcept {
  const std::size_t size = static_cast<std::size_t>(last - first) - 1;
  const T item = first[size];
  first[size] = first[0];
  if (size > 0) detail::sift_down(first, 0, size, item, before);
}

/// Sorts [first, last), not stable, at most 2 n log2 n comparisons and no memory: insertion for a few items, else heapsort.
template <class T, class Before = Less>
constexpr void sort(T* first, T* last, const Before& before = {}) noexcept {
  const std::size_t size = static_cast<std::size_t>(last - first);
  if (size <= 16) {
    for (std::size_t k = 1; k < size; ++k) {
      const T item = first[k];
      std::size_t hole = k;
      for (; hole > 0 && before(item, first[hole - 1]); --hole) first[hole] = first[hole - 1];
      first[hole] = item;
    }
    return;
  }
  for (std::size_t k = size / 2; k-- > 0;) detail::sift_down(first, k, size, first[k], before);
  for (std::size_t k = size; k-- > 1;) pop_heap(first, first + k + 1, before);
}

/// Moves to `nth` what would be there in sorted order, nothing larger before it, nothing smaller after it.
template <class T, class Before = Less>
constexpr void nth_element(T* first, T* nth, T* last, const Before& before = {}) noexcept {
  while (last - first > 1) {
    // The median of three as pivot: sorted and reversed input halve as well.
    T *middle = first + (last - first) / 2, *end = last - 1;
    if (before(*middle, *first)) swap(*middle, *first);
    if (before(*end, *middle)) swap(*end, *middle);
    if (before(*middle, *first)) swap(*middle, *first);
    const T pivot = *middle;
    T *low = first, *high = end;
    while (low <= high) {
      while (before(*low, pivot)) ++low;
      while (before(pivot, *high)) --high;
      if (low <= high) swap(*low++, *high--);
    }
    if (nth <= high) {
      last = high + 1;
    } else if (nth >= low) {
      first = low;
    } else {
      return;
    }
  }
}

}  // namespace spinel
