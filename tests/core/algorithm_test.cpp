// SPDX-License-Identifier: Apache-2.0
// The library's own sort, heap, selection and span against the standard library's, on random input with many ties.
#include <spinel/core/algorithm.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

#include <spinel/core/span.hpp>

namespace {

std::vector<std::uint32_t> random_items(std::mt19937_64& random, std::size_t size) {
  std::vector<std::uint32_t> items(size);
  const std::uint64_t values = 1 + random() % (2 * size + 1);
  for (auto& item : items) item = static_cast<std::uint32_t>(random() % values);
  if (random() % 4 == 0) std::sort(items.begin(), items.end());
  if (random() % 4 == 0) std::reverse(items.begin(), items.end());
  return items;
}

TEST(algorithm, sorts_as_the_standard_library_does) {
  std::mt19937_64 random{1};
  for (int trial = 0; trial < 2000; ++trial) {
    auto items = random_items(random, random() % 300), expected = items;
    spinel::sort(items.data(), items.data() + items.size());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(items, expected) << trial;
    spinel::sort(items.data(), items.data() + items.size(), [](std::uint32_t a, std::uint32_t b) { return a > b; });
    std::reverse(expected.begin(), expected.end());
    ASSERT_EQ(items, expected) << trial;
  }
}

TEST(algorithm, selects_as_the_standard_library_does) {
  std::mt19937_64 random{2};
  for (int trial = 0; trial < 2000; ++trial) {
    auto items = random_items(random, 1 + random() % 300), expected = items;
    const std::size_t n = random() % items.size();
    spinel::nth_element(items.data(), items.data() + n, items.data() + items.size());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(items[n], expected[n]) << trial;
    ASSERT_LE(*std::max_element(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(n) + 1), items[n]) << trial;
    ASSERT_GE(*std::min_element(items.begin() + static_cast<std::ptrdiff_t>(n), items.end()), items[n]) << trial;
    std::sort(items.begin(), items.end());
    ASSERT_EQ(items, expected) << "items lost in trial " << trial;
  }
}

TEST(algorithm, heap_gives_the_largest_first) {
  std::mt19937_64 random{3};
  std::vector<std::uint32_t> heap(500), model;
  std::size_t size = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (size < heap.size() && (size == 0 || random() % 2 == 0)) {
      heap[size] = static_cast<std::uint32_t>(random() % 100);
      model.push_back(heap[size]);
      spinel::push_heap(heap.data(), heap.data() + ++size);
    } else {
      spinel::pop_heap(heap.data(), heap.data() + size--);
      const auto largest = std::max_element(model.begin(), model.end());
      ASSERT_EQ(heap[size], *largest);
      model.erase(largest);
    }
  }
}

TEST(algorithm, extremes_are_the_first_of_several) {
  const int items[] = {3, 1, 7, 1, 7};
  EXPECT_EQ(spinel::max_element(items, items + 5), items + 2);
  EXPECT_EQ(spinel::min_element(items, items + 5), items + 1);
  EXPECT_EQ(spinel::clamp(9, 1, 5), 5);
  EXPECT_EQ(spinel::clamp(-9, 1, 5), 1);
  EXPECT_TRUE(spinel::equal(items, items, items + 1));
  EXPECT_FALSE(spinel::equal(items, items + 2, items + 3));
}

int sum(spinel::Span<const int> items) {
  int total = 0;
  for (const int item : items) total += item;
  return total;
}

TEST(span, takes_and_gives_what_the_standard_span_does) {
  std::vector<int> items{1, 2, 3, 4};
  const std::vector<int> constant = items;
  int array[] = {5, 6};
  EXPECT_EQ(sum(items), 10);
  EXPECT_EQ(sum(constant), 10);
  EXPECT_EQ(sum(std::span<int>{items}.subspan(1, 2)), 5);
  EXPECT_EQ(sum(array), 11);
  EXPECT_EQ(sum({}), 0);
  const spinel::Span<int> view{items};
  const std::span<const int> back = view;
  EXPECT_EQ(back.data(), items.data());
  EXPECT_EQ(back.size(), 4u);
  view.subspan(2)[0] = 30;
  EXPECT_EQ(items[2], 30);
  EXPECT_EQ(sum(view.first(2)), 3);
  EXPECT_EQ(sum(view.subspan(1, 2)), 32);
  static_assert(!std::is_constructible_v<spinel::Span<int>, const std::vector<int>&>, "a constant container gives no mutable items");
  static_assert(!std::is_constructible_v<spinel::Span<const double>, std::vector<int>&>, "nor items of another type");
}

}  // namespace
