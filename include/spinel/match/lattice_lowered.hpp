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
  /// What a matched edge implies whose lower end is `lower_end`.
  struct Cause {
    Span<const ImpliedCheck> implied;
    int lower_end = 0;
  };
  /// Lowers what `n` causes imply, or where there is no room left for all that one of them does, nothing of it.
  void lower(const Cause* causes, int n, const ImpliedEnd* ends) noexcept {
    // How many checks a cause concerns is as good as random, so all are copied, eight at a time, and then gone over in one loop.
    constexpr int n_most = 512;
    ImpliedCheck checks[n_most + at_once];
    std::int32_t lower_end[n_most + at_once];
    for (int k = 0; k < n;) {
      int n_checks = 0;
      for (; k < n; ++k) {
        const int size = static_cast<int>(causes[k].implied.size());
        if (SPINEL_UNLIKELY(n_checks + size > n_most)) break;
        if (SPINEL_UNLIKELY(n_max_ - n_ - n_checks < size)) continue;
        const ImpliedCheck* const implied = causes[k].implied.data();
        int c = 0;
        do {
          std::memcpy(checks + n_checks + c, implied + c, at_once * sizeof(ImpliedCheck));
          for (int j = 0; j < at_once; ++j) lower_end[n_checks + c + j] = causes[k].lower_end;
          c += at_once;
        } while (c < size);
        n_checks += size;
      }
      std::int32_t at = n_;
      for (int c = 0; c < n_checks; ++c) {
        const std::int32_t id = lower_end[c] + checks[c].from;
        const ImpliedEnd* const begin = ends + checks[c].begin();
        SPINEL_PREFETCH(begin);
        lists_[at] = {begin, begin + checks[c].n_ends(), id, first_[id]};
        first_[id] = at++;
        bits[static_cast<unsigned>(id) / 64] |= std::uint64_t{1} << (static_cast<unsigned>(id) % 64);
      }
      n_ = at;
    }
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
  /// `visit(id, along, weight)` for every end of every lowered edge; `along` leads to the other end, 0 for the boundary.
  template <class Visit>
  void for_ends(Visit&& visit) const noexcept {
    for (std::int32_t k = 0; k < n_; ++k)
      for (const ImpliedEnd* end = lists_[k].begin; end != lists_[k].end; ++end) visit(lists_[k].id, end->along, end->weight);
  }
  /// Where the lowered edges of `n` checks lead, given how far those are: `visit(to, distance, tag, is_out)`, for the boundary
  /// edge with the check itself as `to`. In one loop over all lists; `near` is used up.
  struct NearEnd {
    std::int32_t id;
    MarkedDistance marked;
    std::int32_t list, tag;
  };
  NearEnd near_end(int id, MarkedDistance marked, std::int32_t tag) const noexcept { return {id, marked, first_[id], tag}; }
  template <class Visit>
  void cross(NearEnd* near, int n, Visit&& visit) const noexcept {
    // Most lists are shorter than eight: copied whole, how long they are is no branch.
    constexpr int n_max = 256;
    struct Far {
      std::int32_t along;
      MarkedDistance weight;
    } far[n_max + at_once];
    std::uint16_t from[n_max + at_once];
    static_assert(sizeof(Far) == sizeof(ImpliedEnd));
    for (int k = 0; k < n;) {
      int n_far = 0;
      while (k < n && n_far <= n_max - ImpliedCheck::most_ends) {
        const List& list = lists_[near[k].list];
        near[k].list = list.next;
        const int size = static_cast<int>(list.end - list.begin);
        int e = 0;
        do {
          std::memcpy(far + n_far + e, list.begin + e, at_once * sizeof(Far));
          for (int j = 0; j < at_once; ++j) from[n_far + e + j] = static_cast<std::uint16_t>(k);
          e += at_once;
        } while (SPINEL_UNLIKELY(e < size));
        n_far += size;
        k += list.next == none;
      }
      for (int e = 0; e < n_far; ++e) {
        const NearEnd& end = near[from[e]];
        const MarkedDistance marked = sum_of(end.marked, far[e].weight);
        visit(end.id + far[e].along, marked, end.tag, far[e].along == 0);
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
  static constexpr int at_once = 8;
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
