// SPDX-License-Identifier: Apache-2.0
// The lattice matcher's search: one alternating tree at a time between detection events. Who is near whom it asks a metric
// (lattice_metric.hpp), step by step: a leaf may grow only to half the radius within which it knows all others, so nothing is
// ever assumed. Source: Edmonds' blossom algorithm with duals as radii (arXiv:2303.15933 for the picture); time-shifted duals
// and one cached next event a plus leaf are this library's own way to run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// State of one shot. Items [0, n_detectors) are events (leaves), those above are blossoms.
template <class Layout_, class Index_, class BitOps>
class LatticeTree {
 public:
  using Layout = Layout_;
  using Sizes = LatticeSizes<Layout>;
  using Index = Index_;
  static constexpr Index unmatched = -1;
  static constexpr Index to_boundary = -2;
  static constexpr Index explore_further = -3;
  static constexpr Index unsettled = -4;  // single for want of time
  static constexpr std::int32_t no_time = 0x7fffffff;

  enum class Label : std::int8_t { outside, plus, minus };

  /// From leaf u to leaf v (or one of the constants above).
  struct Link {
    MarkedDistance path = 0;
    Index u = unmatched;
    Index v = unmatched;
    Link reversed() const noexcept { return {path, v, u}; }
  };
  /// A leaf's `radius` is its dual variable with its share of all blossoms around it; a blossom's is its own dual variable.
  /// While a tree grows, plus leaves store it minus the time, minus leaves plus the time, blossoms the other way round.
  /// A leaf's label is that of the item that it is in: what a look ahead reads of the other lies side by side.
  struct Item {
    std::int32_t radius = 0;
    Index top = 0;
    Label label = Label::outside;
    std::int8_t tier = 0;
    Link match;
    Link tree;  ///< of a minus item: from the plus leaf that reached it
    Index parent = -1;
    bool touched = false;
  };

  /// A leaf of a tier above the usual, and what it was allowed in the present search.
  struct Tall {
    std::int32_t allowed = 0;
    Index leaf = 0;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n_leaves = static_cast<std::size_t>(layout.n_detectors()), n_items = static_cast<std::size_t>(layout.n_items());
    const auto n_blossoms = static_cast<std::size_t>(layout.n_blossoms());
    n_leaves_ = layout.n_detectors();
    items_.lay_out(n_items, arena);
    time_.lay_out(n_leaves, arena);
    next_.lay_out(n_leaves, arena);
    plus_.lay_out(n_items, arena);
    minus_.lay_out(n_items, arena);
    touched_.lay_out(n_leaves, arena);
    tall_.lay_out(n_leaves, arena);
    ring_next_.lay_out(n_items, arena);
    ring_link_.lay_out(n_items, arena);
    next_leaf_.lay_out(n_leaves, arena);
    first_leaf_.lay_out(n_blossoms, arena);
    last_leaf_.lay_out(n_blossoms, arena);
    leaf_count_.lay_out(n_blossoms, arena);
    free_blossoms_.lay_out(n_blossoms, arena);
    for (int side = 0; side < 2; ++side) {
      climbed_[side].lay_out(n_items, arena);
      climbed_link_[side].lay_out(n_items, arena);
    }
  }
  /// After laying out in real memory, before the first shot.
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_items(); ++k) {
      items_[k] = Item{};
      restore(static_cast<Index>(k));
    }
  }

  Item& item(Index id) noexcept { return items_[static_cast<std::size_t>(id)]; }
  const Item& item(Index id) const noexcept { return items_[static_cast<std::size_t>(id)]; }
  bool is_blossom(Index id) const noexcept { return id >= n_leaves_max(); }
  Item& top_of(Index leaf) noexcept { return item(item(leaf).top); }

  /// Prepares for a shot.
  void begin() noexcept {
    n_touched_ = n_tall_ = 0;
    n_blossoms_ = n_free_blossoms_ = 0;
  }

  /// Grows a tree from unmatched leaf `root`'s top item until it is matched, or gives up (duals stay feasible) where more than
  /// `max_items` items would take part.
  template <class Metric>
  void search(Metric& metric, Index root, int max_items) noexcept {
    n_plus_ = n_minus_ = n_growing_ = 0;
    now_ = 0;
    bool minus_blossoms = false;
    const Index root_item = item(root).top;
    plus_[n_plus_++] = root_item;
    item(root_item).label = Label::plus;
    int size = 1;
    for_leaves(root_item, [&](Index leaf) {
      touch(leaf);
      item(leaf).label = Label::plus;
      grow_leaf(leaf);
    });
    look_ahead_from(metric, 0);
    while (true) {
      const int first = BitOps::index_of_least(time_, n_growing_);
      std::int32_t time = time_[first];
      if (minus_blossoms) {
        Index shrunk = -1;
        for (int k = 0; k < n_minus_; ++k)
          if (is_blossom(minus_[k]) && item(minus_[k]).radius < time) {
            shrunk = minus_[k];
            time = item(shrunk).radius;
          }
        if (shrunk >= 0) {
          now_ = time;
          expand_blossom(shrunk);
          look_ahead_from(metric, 0);
          continue;
        }
      }
      now_ = time;
      const Link link = next_[first];
      if (link.v == to_boundary) {
        augment(item(link.u).top, link);
        break;
      }
      if (link.v == explore_further) {
        look_ahead(metric, first);
        continue;
      }
      const Index other = item(link.v).top;
      Item& met = item(other);
      // Cached when it was true; what it meets may have changed since, but never to something earlier.
      const std::int32_t slack = distance_of(link.path) - item(link.u).radius - item(link.v).radius;
      const std::int32_t still = met.label == Label::plus ? slack >> 1 : slack;
      if (other == item(link.u).top || met.label == Label::minus || still > now_) {
        look_ahead(metric, first);
        continue;
      }
      if (met.label == Label::plus) {
        form_blossom(metric, link);
        look_ahead(metric, first);
        continue;
      }
      if (met.match.v < 0) {  // unmatched, or matched to the boundary, which it leaves
        for_leaves(other, [&](Index leaf) { touch(leaf); });
        augment(item(link.u).top, link);
        met.match = link.reversed();
        break;
      }
      if (size + 2 > max_items) break;
      size += 2;
      minus_blossoms |= is_blossom(other);
      const int before = n_growing_;
      grow(other, link);
      look_ahead_from(metric, before);
      look_ahead(metric, first);
    }
    settle();
  }

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
    Link* tasks = climbed_link_[0];  // u: the leaf matched outside, v: the item
    for_blossoms([&](Index id, int) {
      if (item(id).parent >= 0) return;
      const Link match = item(id).match;
      item(match.u).match = match;
      tasks[n++] = {0, match.u, id};
    });
    while (n > 0) {
      const Link task = tasks[--n];
      const Index base = child_with(task.u, task.v);
      if (is_blossom(base)) tasks[n++] = {0, task.u, base};
      for (Index left = ring_next(base); left != base;) {
        const Link link = ring_link(left);
        const Index right = ring_next(left);
        item(link.u).match = link;
        item(link.v).match = link.reversed();
        if (is_blossom(left)) tasks[n++] = {0, link.u, left};
        if (is_blossom(right)) tasks[n++] = {0, link.v, right};
        left = ring_next(right);
      }
    }
  }

  /// Leaves whose matching or dual variable may differ from the first pairing's.
  int n_touched() const noexcept { return n_touched_; }
  Index touched(int k) const noexcept { return touched_[k]; }

  /// Ends a shot: items look unused again. `forget` is called for every touched leaf.
  template <class Forget>
  void end(Forget&& forget) noexcept {
    for (int k = 0; k < n_touched_; ++k) {
      restore(touched_[k]);
      forget(touched_[k]);
    }
  }
  /// Makes every leaf an item by itself again; radii and mates stay. `forget` is called for every touched leaf.
  template <class Forget>
  void forget_blossoms(Forget&& forget) noexcept {
    end(forget);
    begin();
  }
  /// Notes that `leaf` may change: its share leaves the sums below.
  void touch(Index leaf) noexcept {
    Item& own = item(leaf);
    if (own.touched) return;
    own.touched = true;
    touched_[n_touched_++] = leaf;
    if (own.match.v < leaf) flips ^= own.match.path;
    weight -= own.radius;
  }

  /// Sums over untouched leaves: flips (lowest bit) and dual variables.
  MarkedDistance flips = 0;
  std::int64_t weight = 0;

 private:
  int n_leaves_max() const noexcept { return Layout::is_fixed ? static_cast<int>(Sizes::detectors) : n_leaves_; }
  void restore(Index id) noexcept {
    Item& fresh = item(id);
    fresh.top = id;
    fresh.parent = -1;
    fresh.match.u = id;
    fresh.label = Label::outside;
    fresh.tier = 0;
    fresh.touched = false;
  }

  // == Ring structure of blossoms ==
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
  static void erase(Index* list, int& n, Index id) noexcept {
    for (int k = 0; k < n; ++k)
      if (list[k] == id) {
        list[k] = list[--n];
        return;
      }
  }

  // == Events of plus leaves ==
  void grow_leaf(Index leaf) noexcept { next_[n_growing_++].u = leaf; }
  template <class Metric>
  void look_ahead_from(Metric& metric, int begin) noexcept {
    for (int k = begin; k < n_growing_; ++k) look_ahead(metric, k);
  }
  /// Finds when and with what plus leaf `next_[k].u` meets next: boundary, event, or the end of what it knows.
  template <class Metric>
  void look_ahead(Metric& metric, int k) noexcept {
    const Index leaf = next_[k].u;
    const Item& own = item(leaf);
    const std::int32_t base = own.radius;
    std::int32_t limit = Metric::no_limit;
    while (metric.has_lists()) {
      if (own.tier > 0) {
        limit = (Metric::is_tall(own.tier) ? allowed_radius(metric, leaf) : metric.known_radius(leaf)) - base;
        if (limit > now_) break;
      }
      metric.explore(leaf, base + now_);
      if (Metric::is_tall(own.tier) && !Metric::is_tall(own.tier - 1)) tall_[n_tall_++] = {0, leaf};
    }
    const MarkedDistance boundary = metric.boundary(leaf);
    std::int32_t best = distance_of(boundary) - base;
    Index target = to_boundary;
    MarkedDistance path = boundary;
    const Index top = own.top;
    // Without branches: which of the others is next is as good as random.
    const auto consider = [&](Index other_leaf, MarkedDistance marked) {
      const Item& other = item(other_leaf);
      const std::int32_t never = -static_cast<std::int32_t>((other.top == top) | (other.label == Label::minus));
      const std::int32_t slack = distance_of(marked) - base - other.radius;
      const std::int32_t time = ((slack >> static_cast<int>(other.label == Label::plus)) & ~never) | (never & no_time);
      const bool better = time < best;
      best = better ? time : best;
      target = better ? other_leaf : target;
      path = better ? marked : path;
    };
    if (SPINEL_UNLIKELY(!metric.has_lists())) {
      limit = Metric::no_limit;
      metric.for_everyone(leaf, consider);
    } else {
      metric.for_known(leaf, consider);
    }
    if (limit < best) {
      best = limit;
      target = explore_further;
    }
    time_[k] = best;
    next_[k].v = target;
    next_[k].path = path;
  }

  /// How far out a tall leaf may be before it must know more. Who is not in its list is no nearer than twice `known_radius`,
  /// so both may have that much together. Leaves that are not tall keep to `usual_radius`; a tall one that does not grow has
  /// what it has, and comes here before it grows again; one that grows gets half of what is left, be it less than before.
  template <class Metric>
  SPINEL_NOINLINE std::int32_t allowed_radius(const Metric& metric, Index leaf) noexcept {
    const Item& own = item(leaf);
    const std::int32_t known = metric.known_radius(leaf), radius = own.radius + now_;
    if (known > (1 << 29)) return known;
    Tall* mine = tall_;
    while (mine->leaf != leaf) ++mine;
    if (mine->allowed > radius) return mine->allowed;
    std::int32_t allowed = 2 * known - metric.usual_radius();
    for (int k = 0; k < n_tall_; ++k) {
      Tall& tall = tall_[k];
      const Item& other = item(tall.leaf);
      if (other.top == own.top) continue;
      const bool grows = other.label == Label::plus;
      const std::int32_t taken = other.radius + (grows ? now_ : other.label == Label::minus ? -now_ : 0);
      const std::int32_t others = metric.known_radius(tall.leaf);
      std::int32_t room = 2 * (known > others ? known : others) - taken;
      if (const std::int32_t apart = metric.least_distance(leaf, tall.leaf) - taken; apart > room) room = apart;
      const std::int32_t half = (room - radius) >> 1, limit = grows ? radius + half : room;
      if (limit >= allowed && !(grows && tall.allowed > taken + half)) continue;
      bool knows = false;
      metric.for_known(leaf, [&](Index one, MarkedDistance) { knows |= one == tall.leaf; });
      if (knows) continue;
      if (limit < allowed) allowed = limit;
      if (grows && tall.allowed > taken + half) {
        tall.allowed = taken + half;
        recall(tall.leaf, now_ + half);
      }
    }
    mine->allowed = allowed;
    return allowed;
  }
  /// Makes a growing leaf look again at `time`, if it would not before.
  void recall(Index leaf, std::int32_t time) noexcept {
    int k = 0;
    while (k < n_growing_ && next_[k].u != leaf) ++k;
    if (k == n_growing_ || time_[k] <= time) return;
    time_[k] = time;
    next_[k].v = explore_further;
  }

  // == Steps of the search ==
  void augment(Index id, Link link) noexcept {
    while (true) {
      const Index former = item(id).match.v;
      item(id).match = link;
      if (former == unmatched) return;
      Item& minus = top_of(former);
      minus.match = minus.tree.reversed();
      link = minus.tree;
      id = item(link.u).top;
    }
  }
  void grow(Index minus_id, const Link& link) noexcept {
    Item& minus = item(minus_id);
    const Index plus_id = item(minus.match.v).top;
    Item& plus = item(plus_id);
    minus.label = Label::minus;
    minus.tree = link;
    minus_[n_minus_++] = minus_id;
    if (is_blossom(minus_id)) minus.radius += now_;
    for_leaves(minus_id, [&](Index leaf) {
      touch(leaf);
      item(leaf).radius += now_;
      item(leaf).label = Label::minus;
    });
    plus.label = Label::plus;
    plus_[n_plus_++] = plus_id;
    if (is_blossom(plus_id)) plus.radius -= now_;
    for_leaves(plus_id, [&](Index leaf) {
      touch(leaf);
      item(leaf).radius -= now_;
      item(leaf).label = Label::plus;
      grow_leaf(leaf);
    });
  }
  void settle() noexcept {
    for (int k = 0; k < n_tall_; ++k) tall_[k].allowed = 0;
    for (int k = 0; k < n_plus_; ++k) {
      Item& plus = item(plus_[k]);
      plus.label = Label::outside;
      if (is_blossom(plus_[k])) plus.radius += now_;
    }
    for (int k = 0; k < n_growing_; ++k) {
      Item& leaf = item(next_[k].u);
      leaf.label = Label::outside;
      leaf.radius += now_;
    }
    for (int k = 0; k < n_minus_; ++k) {
      Item& minus = item(minus_[k]);
      minus.label = Label::outside;
      if (is_blossom(minus_[k])) minus.radius -= now_;
      for_leaves(minus_[k], [&](Index leaf) {
        item(leaf).label = Label::outside;
        item(leaf).radius -= now_;
      });
    }
  }
  /// The way from plus item `id` to the root: items, and each one's link to the next.
  int climb(Index id, int side) noexcept {
    Index* items = climbed_[side];
    Link* links = climbed_link_[side];
    for (int n = 0;;) {
      const Link up = item(id).match;
      items[n] = id;
      links[n++] = up;
      if (up.v == unmatched) return n;
      const Index minus_id = item(up.v).top;
      const Link tree = item(minus_id).tree;
      items[n] = minus_id;
      links[n++] = tree.reversed();
      id = item(tree.u).top;
    }
  }
  template <class Metric>
  SPINEL_NOINLINE void form_blossom(Metric& metric, const Link link) noexcept {
    int n_left = climb(item(link.u).top, 0), n_right = climb(item(link.v).top, 1);
    while (n_left > 1 && n_right > 1 && climbed_[0][n_left - 2] == climbed_[1][n_right - 2]) --n_left, --n_right;
    const Index base = climbed_[0][n_left - 1];
    const int number = n_free_blossoms_ > 0 ? free_blossoms_[--n_free_blossoms_] : n_blossoms_++;
    const auto id = static_cast<Index>(n_leaves_max() + number);
    Item& blossom = item(id);
    blossom.match = item(base).match;
    blossom.radius = -now_;
    blossom.parent = -1;
    blossom.top = id;
    blossom.label = Label::plus;
    int n_leaves = 0;
    Index last = -1;
    const int before = n_growing_;
    const auto append = [&](Index child_id) {
      Item& child = item(child_id);
      const bool was_minus = child.label == Label::minus;
      if (was_minus) erase(minus_, n_minus_, child_id);
      else erase(plus_, n_plus_, child_id);
      if (is_blossom(child_id)) child.radius += was_minus ? -now_ : now_;
      child.label = Label::outside;
      child.parent = id;
      if (last < 0) {
        first_leaf_[number] = first_leaf(child_id);
      } else {
        ring_next_[static_cast<std::size_t>(last)] = child_id;
        next_leaf_[last_leaf(last)] = first_leaf(child_id);
      }
      last = child_id;
      last_leaf_[number] = last_leaf(child_id);
      for_leaves(child_id, [&](Index leaf) {
        ++n_leaves;
        item(leaf).top = id;
        item(leaf).label = Label::plus;
        if (!was_minus) return;
        item(leaf).radius -= 2 * now_;
        grow_leaf(leaf);
      });
    };
    const auto link_last = [&](const Link& to_next) { ring_link_[static_cast<std::size_t>(last)] = to_next; };
    append(base);
    for (int k = n_left - 2; k >= 0; --k) {
      link_last(climbed_link_[0][k].reversed());
      append(climbed_[0][k]);
    }
    link_last(link);
    for (int k = 0; k + 1 < n_right; ++k) {
      append(climbed_[1][k]);
      link_last(climbed_link_[1][k]);
    }
    ring_next_[static_cast<std::size_t>(last)] = base;
    leaf_count_[number] = n_leaves;
    plus_[n_plus_++] = id;
    look_ahead_from(metric, before);
  }
  /// A minus blossom whose dual variable reached zero falls apart: the even way from where the tree enters it to where it is
  /// matched stays in the tree, the other children leave it matched in pairs.
  SPINEL_NOINLINE void expand_blossom(Index id) noexcept {
    const Link entry = item(id).tree, exit = item(id).match;
    const Index entry_child = child_with(entry.v, id), exit_child = child_with(exit.u, id);
    Index* ring = climbed_[0];
    Link* links = climbed_link_[0];
    int n = 0, entry_at = 0, exit_at = 0;
    for (Index child = entry_child; n == 0 || child != entry_child; child = ring_next(child)) {
      if (child == exit_child) exit_at = n;
      ring[n] = child;
      links[n++] = ring_link(child);
    }
    for (int k = 0; k < n; ++k) {
      item(ring[k]).parent = -1;
      for_leaves(ring[k], [&](Index leaf) { item(leaf).top = ring[k]; });
    }
    item(id).label = Label::outside;
    erase(minus_, n_minus_, id);
    leaf_count_[id - n_leaves_max()] = 0;
    free_blossoms_[n_free_blossoms_++] = static_cast<Index>(id - n_leaves_max());
    int n_steps = exit_at - entry_at;
    const bool forward = n_steps % 2 == 0;
    if (!forward) n_steps = n - n_steps;
    const auto child_at = [&](int step) { return ring[forward ? step : (n - step) % n]; };
    // From child_at(step) to child_at(step + 1).
    const auto link_after = [&](int step) { return forward ? links[step] : links[n - 1 - step].reversed(); };
    // Leaves still hold radius + now_, the children's own duals are true.
    const auto join_minus = [&](Index child_id, const Link& tree) {
      Item& child = item(child_id);
      child.label = Label::minus;
      child.tree = tree;
      if (is_blossom(child_id)) child.radius += now_;
      minus_[n_minus_++] = child_id;
    };
    Link tree = entry;
    for (int step = 0; step < n_steps; step += 2) {
      const Index minus_id = child_at(step), plus_id = child_at(step + 1);
      const Link matched = link_after(step);
      join_minus(minus_id, tree);
      item(minus_id).match = matched;
      Item& plus = item(plus_id);
      plus.match = matched.reversed();
      plus.label = Label::plus;
      if (is_blossom(plus_id)) plus.radius -= now_;
      plus_[n_plus_++] = plus_id;
      for_leaves(plus_id, [&](Index leaf) {
        item(leaf).radius -= 2 * now_;
        item(leaf).label = Label::plus;
        grow_leaf(leaf);
      });
      tree = link_after(step + 1);
    }
    join_minus(child_at(n_steps), tree);
    item(child_at(n_steps)).match = exit;
    for (int step = n_steps + 1; step < n; step += 2) {
      const Link matched = link_after(step);
      item(child_at(step)).match = matched;
      item(child_at(step + 1)).match = matched.reversed();
      for (const Index child_id : {child_at(step), child_at(step + 1)})
        for_leaves(child_id, [&](Index leaf) {
          item(leaf).radius -= now_;
          item(leaf).label = Label::outside;
        });
    }
  }

  std::int32_t now_ = 0;
  int n_plus_ = 0, n_minus_ = 0, n_growing_ = 0, n_touched_ = 0, n_tall_ = 0, n_blossoms_ = 0, n_free_blossoms_ = 0;
  std::int32_t n_leaves_ = 0;
  LatticeArray<Item, Sizes::items> items_;
  LatticeArray<std::int32_t, Sizes::detectors> time_;
  LatticeArray<Link, Sizes::detectors> next_;
  LatticeArray<Index, Sizes::items> plus_, minus_;
  LatticeArray<Index, Sizes::detectors> touched_;
  LatticeArray<Tall, Sizes::detectors> tall_;
  // == Blossoms ==
  LatticeArray<Index, Sizes::items> ring_next_;
  LatticeArray<Link, Sizes::items> ring_link_;
  LatticeArray<Index, Sizes::detectors> next_leaf_;
  LatticeArray<Index, Sizes::blossoms> first_leaf_, last_leaf_;
  LatticeArray<std::int32_t, Sizes::blossoms> leaf_count_;
  LatticeArray<Index, Sizes::blossoms> free_blossoms_;
  LatticeArray<Index, Sizes::items> climbed_[2];
  LatticeArray<Link, Sizes::items> climbed_link_[2];
};

}  // namespace spinel::detail
