// SPDX-License-Identifier: Apache-2.0
// What the lattice matcher's trees are made of: events and blossoms with dual variables, mates, and the rings that blossoms
// consist of. What others look at lies side by side, apart from what only an item's own tree reads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel::detail {

/// State of one shot. Items [0, n_detectors) are events (leaves), those above are blossoms.
template <class Layout_, class Index_>
class LatticeItems {
 public:
  using Layout = Layout_;
  using Sizes = LatticeSizes<Layout>;
  using Index = Index_;
  static constexpr Index unmatched = -1;
  static constexpr Index to_boundary = -2;
  using Label = spinel::Label;

  /// From leaf u to leaf v (or one of the constants above).
  struct Link {
    MarkedDistance path = 0;
    Index u = unmatched;
    Index v = unmatched;
    Link reversed() const noexcept { return {path, v, u}; }
  };
  /// What others see of an item, and how far it looks itself. A leaf's `radius` is its dual variable with its share of all blossoms
  /// around it; a blossom's is its own dual variable. While a tree grows, plus leaves store it minus the time, minus leaves plus the
  /// time, blossoms the other way round. A leaf's label is that of the item that it is in: what a look reads of it lies side by side.
  struct Dual {
    std::int32_t radius = 0;
    Index top = 0;
    Label label = Label::outside;
    std::int8_t tier = 0;

    /// Changes radius and label by one store: looks load both as one word, and would wait for narrower ones.
    void change(std::int32_t more, Label to) noexcept {
      if constexpr (sizeof(Index) == 2 && std::endian::native == std::endian::little) {
        const std::uint64_t word = static_cast<std::uint32_t>(radius + more) |
                                   std::uint64_t{static_cast<std::uint16_t>(top)} << 32 |
                                   std::uint64_t{static_cast<std::uint8_t>(to)} << 48 |
                                   std::uint64_t{static_cast<std::uint8_t>(tier)} << 56;
        std::memcpy(static_cast<void*>(this), &word, sizeof word);
      } else {
        radius += more;
        label = to;
      }
    }
  };
  /// The rest of an item, which only its own tree reads.
  struct Item {
    Link tree;  ///< of a minus item: from the plus leaf that reached it
    Index parent = -1;
    Index tall = -1;  ///< number among the tall, of a leaf that is
    bool touched = false;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n_leaves = static_cast<std::size_t>(layout.n_detectors()), n_items = static_cast<std::size_t>(layout.n_items());
    const auto n_blossoms = static_cast<std::size_t>(layout.n_blossoms());
    n_leaves_ = layout.n_detectors();
    duals_.lay_out(n_items + 16, arena);
    matches_.lay_out(n_items + 16, arena);
    items_.lay_out(n_items, arena);
    touched_.lay_out(n_leaves, arena);
    tasks_.lay_out(n_items, arena);
    ring_next_.lay_out(n_items, arena);
    ring_link_.lay_out(n_items, arena);
    next_leaf_.lay_out(n_leaves, arena);
    first_leaf_.lay_out(n_blossoms, arena);
    last_leaf_.lay_out(n_blossoms, arena);
    leaf_count_.lay_out(n_blossoms, arena);
    free_blossoms_.lay_out(n_blossoms, arena);
  }
  /// After laying out in real memory, before the first shot.
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_items(); ++k) {
      duals_[k] = Dual{};
      matches_[k] = Link{};
      items_[k] = Item{};
      restore(static_cast<Index>(k));
    }
  }

  Item& item(Index id) noexcept { return items_[static_cast<std::size_t>(id)]; }
  const Item& item(Index id) const noexcept { return items_[static_cast<std::size_t>(id)]; }
  Dual& dual(Index id) noexcept { return duals_[static_cast<std::size_t>(id)]; }
  const Dual& dual(Index id) const noexcept { return duals_[static_cast<std::size_t>(id)]; }
  Link& match(Index id) noexcept { return matches_[static_cast<std::size_t>(id)]; }
  const Link& match(Index id) const noexcept { return matches_[static_cast<std::size_t>(id)]; }
  /// Of the item that a leaf is in.
  Link& match_around(Index leaf) noexcept { return match(dual(leaf).top); }
  bool is_blossom(Index id) const noexcept { return id >= n_leaves_max(); }

  /// Calls `visit(blossom, dual variable, leaves)` for every blossom that exists.
  template <class Visit>
  void for_blossoms(Visit&& visit) noexcept {
    for (int k = 0; k < n_blossoms_; ++k)
      if (leaf_count_[k] > 0) visit(static_cast<Index>(n_leaves_max() + k), leaf_count_[k]);
  }
  bool has_blossoms() const noexcept { return n_blossoms_ > 0; }

  /// Turns the matching of blossoms into one of leaves: around its ring, the children other than the one that is matched
  /// outside are matched in pairs.
  void resolve_blossoms() noexcept {
    int n = 0;
    Link* tasks = tasks_;  // u: the leaf matched outside, v: the item
    for_blossoms([&](Index id, int) {
      if (item(id).parent >= 0) return;
      const Link way_out = match(id);
      match(way_out.u) = way_out;
      tasks[n++] = {0, way_out.u, id};
    });
    while (n > 0) {
      const Link task = tasks[--n];
      const Index base = child_with(task.u, task.v);
      if (is_blossom(base)) tasks[n++] = {0, task.u, base};
      for (Index left = ring_next(base); left != base;) {
        const Link link = ring_link(left);
        const Index right = ring_next(left);
        match(link.u) = link;
        match(link.v) = link.reversed();
        if (is_blossom(left)) tasks[n++] = {0, link.u, left};
        if (is_blossom(right)) tasks[n++] = {0, link.v, right};
        left = ring_next(right);
      }
    }
  }

  /// Leaves whose matching or dual variable may differ from the first pairing's.
  int n_touched() const noexcept { return n_touched_; }
  Index touched(int k) const noexcept { return touched_[k]; }

  /// Notes that `leaf` may change: its share leaves the sums below.
  void touch(Index leaf) noexcept {
    Item& own = item(leaf);
    if (own.touched) return;
    own.touched = true;
    touched_[n_touched_++] = leaf;
    const Link& link = match(leaf);
    flips ^= link.path & static_cast<std::uint32_t>((link.v - leaf) >> 31);
    weight -= dual(leaf).radius;
  }

  /// Sums over untouched leaves: flips (lowest bit) and dual variables.
  MarkedDistance flips = 0;
  std::int64_t weight = 0;

 protected:
  void begin() noexcept { n_touched_ = n_blossoms_ = n_free_blossoms_ = 0; }
  /// Ends a shot: items look unused again. `forget` is called for every touched leaf.
  template <class Forget>
  void end(Forget&& forget) noexcept {
    for (int k = 0; k < n_touched_; ++k) {
      restore(touched_[k]);
      forget(touched_[k]);
    }
  }
  int n_leaves_max() const noexcept { return Layout::is_fixed ? static_cast<int>(Sizes::detectors) : n_leaves_; }
  void restore(Index id) noexcept {
    Dual& dual = this->dual(id);
    dual.top = id;
    dual.label = Label::outside;
    dual.tier = 0;
    match(id).u = id;
    item(id).parent = -1;
    item(id).touched = false;
  }

  // == Rings of blossoms ==
  Index ring_next(Index id) const noexcept { return ring_next_[static_cast<std::size_t>(id)]; }
  const Link& ring_link(Index id) const noexcept { return ring_link_[static_cast<std::size_t>(id)]; }
  Index first_leaf(Index id) const noexcept { return is_blossom(id) ? first_leaf_[id - n_leaves_max()] : id; }
  Index last_leaf(Index id) const noexcept { return is_blossom(id) ? last_leaf_[id - n_leaves_max()] : id; }
  template <class Visit>
  void for_leaves(Index id, Visit&& visit) noexcept {
    if (!is_blossom(id)) return visit(id);
    const Index last = last_leaf(id);
    for (Index leaf = first_leaf(id);; leaf = next_leaf_[leaf]) {
      visit(leaf);
      if (leaf == last) return;
    }
  }
  Index child_with(Index leaf, Index blossom) const noexcept {
    Index child = leaf;
    while (item(child).parent != blossom) child = item(child).parent;
    return child;
  }

  int n_touched_ = 0, n_blossoms_ = 0, n_free_blossoms_ = 0;
  std::int32_t n_leaves_ = 0;
  LatticeArray<Dual, Sizes::of(Sizes::items + 16)> duals_;
  LatticeArray<Link, Sizes::of(Sizes::items + 16)> matches_;
  LatticeArray<Item, Sizes::items> items_;
  LatticeArray<Index, Sizes::detectors> touched_;
  LatticeArray<Link, Sizes::items> tasks_;
  // == Blossoms ==
  LatticeArray<Index, Sizes::items> ring_next_;
  LatticeArray<Link, Sizes::items> ring_link_;
  LatticeArray<Index, Sizes::detectors> next_leaf_;
  LatticeArray<Index, Sizes::blossoms> first_leaf_, last_leaf_;
  LatticeArray<std::int32_t, Sizes::blossoms> leaf_count_;
  LatticeArray<Index, Sizes::blossoms> free_blossoms_;
};

}  // namespace spinel::detail
