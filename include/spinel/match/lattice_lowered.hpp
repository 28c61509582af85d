// SPDX-License-Identifier: Apache-2.0
// The edges that weigh less than the tables know, for one shot (the second pass of correlated matching): found by the checks at
// their ends. Nothing is copied: a check has a list of those lists of lattice_implied.hpp that concern it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/lattice_implied.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The lowered edges of one shot, by check: what the matched edges imply there, as lists in the tables. An edge that several imply is
/// there more than once, the lightest counts.
template <class Layout>
class LoweredEdges {
 public:
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    n_max_ = static_cast<std::int32_t>(n_lists_max(n));
    bits.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    first_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    lists_.lay_out(n_lists_max(n), arena);
  }
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_words(); ++k) bits[k] = 0;
    for (int id = 0; id < layout.n_ids(); ++id) first_[id] = none;
    n_ = 0;
  }
  /// Lowers what a matched edge whose lower end is `lower_end` implies, all of `implied`, or where there is no room left nothing of it.
  void lower(int lower_end, Span<const ImpliedCheck> implied, const ImpliedEnd* ends) noexcept {
    if (SPINEL_UNLIKELY(static_cast<std::size_t>(n_max_ - n_) < implied.size())) return;
    std::int32_t n = n_;
    for (const ImpliedCheck check : implied) {
      const std::int32_t id = lower_end + check.from;
      const auto at = static_cast<std::uint32_t>(id);
      const ImpliedEnd* const begin = ends + check.begin;
      SPINEL_PREFETCH(begin);
      lists_[n] = {begin, begin + check.n_ends, id, first_[id]};
      first_[id] = n++;
      bits[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    n_ = n;
  }
  bool any() const noexcept { return n_ > 0; }
  bool has(int id) const noexcept { return first_[id] != none; }
  /// `visit(to, weight)` for every lowered edge at `id`, `out(weight)` for its boundary edge.
  template <class Visit, class Out>
  void at(int id, Visit&& visit, Out&& out) const noexcept {
    for (std::int32_t k = first_[id]; k != none; k = lists_[k].next)
      for (const ImpliedEnd* end = lists_[k].begin; end != lists_[k].end; ++end) {
        if (SPINEL_UNLIKELY(end->along == 0)) out(end->weight);
        else visit(id + end->along, end->weight);
      }
  }
  /// Where the lowered edges of `n` checks lead, given how far those are: `visit(to, distance, tag)`, `out(distance, tag)`. In one
  /// loop over all lists; `near` is used up.
  struct NearEnd {
    std::int32_t id;
    MarkedDistance marked;
    std::int32_t list, tag;
  };
  NearEnd near_end(int id, MarkedDistance marked, std::int32_t tag) const noexcept { return {id, marked, first_[id], tag}; }
  template <class Visit, class Out>
  void cross(NearEnd* near, int n, Visit&& visit, Out&& out) const noexcept {
    // Most lists are shorter than eight: copied whole, how long they are is no branch.
    constexpr int at_once = 8, n_max = 256;
    struct Far {
      std::int32_t along;
      MarkedDistance weight;
    } far[n_max + at_once];
    std::uint16_t from[n_max + at_once];
    static_assert(sizeof(Far) == sizeof(ImpliedEnd));
    for (int k = 0; k < n;) {
      int n_far = 0;
      for (; k < n && n_far <= n_max - longest_list; ) {
        const List& list = lists_[near[k].list];
        near[k].list = list.next;
        const int size = static_cast<int>(list.end - list.begin);
        int e = 0;
        do {
          std::memcpy(far + n_far + e, list.begin + e, at_once / 2 * sizeof(Far));
          std::memcpy(far + n_far + e + at_once / 2, list.begin + e + at_once / 2, at_once / 2 * sizeof(Far));
          for (int j = 0; j < at_once; ++j) from[n_far + e + j] = static_cast<std::uint16_t>(k);
          e += at_once;
        } while (SPINEL_UNLIKELY(e < size));
        n_far += size;
        k += list.next == none;
      }
      for (int e = 0; e < n_far; ++e) {
        const NearEnd& end = near[from[e]];
        const MarkedDistance marked = sum_of(end.marked, far[e].weight);
        if (SPINEL_UNLIKELY(far[e].along == 0)) out(marked, end.tag);
        else visit(end.id + far[e].along, marked, end.tag);
      }
    }
  }
  /// `visit(a, b, weight)` once an edge that became lighter, b is -1 for the boundary.
  template <class Visit>
  void for_all(const Tables& tables, Visit&& visit) const noexcept {
    for (std::int32_t k = 0; k < n_; ++k) {
      const int id = lists_[k].id, row = tables.layout.edge_row(tables.layout.site(id));
      if (first_[id] != k) continue;
      for (int e = -1; e < tables.degree[row]; ++e) {
        const int other = e < 0 ? -1 : id + tables.edges[row][e].offset;
        if (other > id) continue;
        const MarkedDistance own = (e < 0 ? tables.boundary_edge[row] : tables.edges[row][e].weight) & ~1u;
        MarkedDistance least = own;
        at(
            id, [&](std::int32_t to, MarkedDistance weight) { least = to == other && weight < least ? weight : least; },
            [&](MarkedDistance weight) { least = e < 0 && weight < least ? weight : least; });
        if (least < own) visit(id, other, least);
      }
    }
  }
  void forget() noexcept {
    for (std::int32_t k = 0; k < n_; ++k) {
      bits[static_cast<unsigned>(lists_[k].id) / 64] = 0;
      first_[lists_[k].id] = none;
    }
    n_ = 0;
  }

  LatticeArray<std::uint64_t, Sizes::words> bits;

 private:
  static constexpr std::int32_t none = -1;
  static constexpr int longest_list = 32;  // of one check
  static constexpr std::size_t n_lists_max(std::size_t n_checks) noexcept { return 8 * n_checks + 1024; }
  /// What one cause implies at one check, and the list of another one there.
  struct List {
    const ImpliedEnd *begin, *end;
    std::int32_t id, next;
  };
  std::int32_t n_ = 0, n_max_ = 0;
  LatticeArray<std::int32_t, Sizes::ids> first_;
  LatticeArray<List, Sizes::of(n_lists_max(Sizes::detectors))> lists_;
};

}  // namespace spinel::detail
