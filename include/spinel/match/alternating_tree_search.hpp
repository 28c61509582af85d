// SPDX-License-Identifier: Apache-2.0
// How an alternating tree grows: the event loop, augmentation, blossoms formed and expanded. Second half of
// alternating_tree.hpp, which holds the records and the look ahead.
// Source: Edmonds' weighted blossom algorithm, as described in Kolmogorov, Blossom V, 2009, sections 2 and 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/span.hpp>
#include <spinel/match/alternating_tree.hpp>

namespace spinel::detail {

inline bool AlternatingTree::search(const MatchingGraph& graph, const PathTables& tables, ShortestPaths& paths,
                                    std::int32_t root) noexcept {
  const Context context{graph, tables, paths};
  now_ = 0;
  n_events_ = n_plus_ = n_minus_ = 0;
  const std::int32_t root_item = leaf(root).top;
  plus_[n_plus_++] = root_item;
  item(root_item).label = Label::plus;
  for_leaves(root_item, [&](std::int32_t k) { add_event(k); });
  look_ahead_from(context, 0);
  while (true) {
    std::size_t first = 0;
    for (std::size_t k = 1; k < n_events_; ++k) first = events_[k].time < events_[first].time ? k : first;
    std::int32_t shrunk = -1;
    std::int64_t time = events_[first].time;
    for (std::size_t k = 0; k < n_minus_; ++k)
      if (is_blossom(minus_[k]) && item(minus_[k]).dual < time) time = item(minus_[k]).dual, shrunk = minus_[k];
    if (shrunk >= 0) {
      now_ = time;
      expand_blossom(shrunk);
      look_ahead_from(context, 0);
      continue;
    }
    Event& event = events_[first];
    if (event.target == nothing) {
      settle();
      return false;
    }
    now_ = time;
    const Link link{event.leaf, event.target, event.path};
    if (event.target == to_boundary) {
      augment(leaf(event.leaf).top, link);
      break;
    }
    if (event.target == explore_further) {
      look_ahead(context, event);
      continue;
    }
    // The event was true when it was cached; what it met may have changed since, but never to something earlier.
    const Leaf& other = leaf(event.target);
    const Item& met = item(other.top);
    const std::int64_t slack = event.distance - leaf(event.leaf).radius - other.radius;
    const std::int64_t still = met.label == Label::plus ? slack / 2 : slack;
    if (other.top == leaf(event.leaf).top || met.label == Label::minus || still > now_) {
      look_ahead(context, event);
      continue;
    }
    const std::size_t n_before = n_events_;
    if (met.label == Label::plus) {
      form_blossom(link);
    } else if (met.link.v < 0) {
      augment(leaf(link.u).top, link);
      top_of(link.v).link = reversed(link);
      break;
    } else {
      grow(other.top, link);
    }
    look_ahead_from(context, n_before);
    look_ahead(context, events_[first]);
  }
  settle();
  return true;
}

/// Ends a search: stored duals become true ones again, labels vanish, blossoms stay.
inline void AlternatingTree::settle() noexcept {
  for (std::size_t k = 0; k < n_plus_; ++k) {
    Item& plus = item(plus_[k]);
    plus.label = Label::outside;
    plus.dual += now_;
  }
  for (std::size_t k = 0; k < n_events_; ++k) leaf(events_[k].leaf).radius += now_;
  for (std::size_t k = 0; k < n_minus_; ++k) {
    Item& minus = item(minus_[k]);
    minus.label = Label::outside;
    minus.dual -= now_;
    for_leaves(minus_[k], [&](std::int32_t u) { leaf(u).radius -= now_; });
  }
}

/// Matches plus item `id` along `link` and swaps the matching on its way to the root.
inline void AlternatingTree::augment(std::int32_t id, Link link) noexcept {
  while (true) {
    const std::int32_t former = item(id).link.v;
    item(id).link = link;
    if (former == unmatched) return;
    Item& minus = top_of(former);
    minus.link = reversed(minus.tree);
    link = minus.tree;
    id = leaf(link.u).top;
  }
}

/// An outside item becomes minus, its partner plus.
inline void AlternatingTree::grow(std::int32_t outside_id, const Link& link) noexcept {
  Item& minus = item(outside_id);
  const std::int32_t plus_id = leaf(minus.link.v).top;
  Item& plus = item(plus_id);
  minus.label = Label::minus;
  minus.tree = link;
  minus.dual += now_;
  minus_[n_minus_++] = outside_id;
  for_leaves(outside_id, [&](std::int32_t k) { leaf(k).radius += now_; });
  plus.label = Label::plus;
  plus.dual -= now_;
  plus_[n_plus_++] = plus_id;
  for_leaves(plus_id, [&](std::int32_t k) {
    leaf(k).radius -= now_;
    add_event(k);
  });
}

/// The way from plus item `id` to the root, each with its link to the next; returns its length.
inline std::size_t AlternatingTree::climb(std::int32_t id, Span<Child> way) noexcept {
  std::size_t n = 0;
  while (true) {
    const Link up = item(id).link;
    way[n++] = {id, up};
    if (up.v == unmatched) return n;
    const std::int32_t minus_id = leaf(up.v).top;
    const Link tree = item(minus_id).tree;
    way[n++] = {minus_id, reversed(tree)};
    id = leaf(tree.u).top;
  }
}

inline void AlternatingTree::form_blossom(const Link& link) noexcept {
  auto& left = climbed_[0];
  auto& right = climbed_[1];
  std::size_t n_left = climb(leaf(link.u).top, left), n_right = climb(leaf(link.v).top, right);
  while (n_left > 1 && n_right > 1 && left[n_left - 2].item == right[n_right - 2].item) --n_left, --n_right;
  const std::int32_t base = left[n_left - 1].item;
  const std::int32_t id = n_free_blossoms_ > 0 ? free_blossoms_[--n_free_blossoms_]
                                               : static_cast<std::int32_t>(n_leaves_max_ + n_blossoms_++);
  Item& blossom = item(id);
  blossom.link = item(base).link;
  blossom.dual = -now_;
  blossom.parent = -1;
  blossom.label = Label::plus;
  blossom.first_child = base;
  blossom.n_leaves = 0;
  std::int32_t last_child = -1;
  const auto append = [&](std::int32_t child_id) {
    Item& child = item(child_id);
    const bool was_minus = child.label == Label::minus;
    if (was_minus) {
      child.dual -= now_;
      erase(minus_, n_minus_, child_id);
    } else {
      child.dual += now_;
      erase(plus_, n_plus_, child_id);
    }
    child.label = Label::outside;
    child.parent = id;
    blossom.n_leaves += is_blossom(child_id) ? child.n_leaves : 1;
    if (last_child < 0) {
      blossom.first_leaf = child.first_leaf;
    } else {
      item(last_child).next_sibling = child_id;
      leaf(item(last_child).last_leaf).next_leaf = child.first_leaf;
    }
    last_child = child_id;
    blossom.last_leaf = child.last_leaf;
    for_leaves(child_id, [&](std::int32_t k) {
      leaf(k).top = id;
      if (!was_minus) return;
      leaf(k).radius -= 2 * now_;
      add_event(k);
    });
  };
  append(base);
  for (std::size_t k = n_left - 1; k-- > 0;) {
    item(last_child).sibling = reversed(left[k].link);
    append(left[k].item);
  }
  item(last_child).sibling = link;
  for (std::size_t k = 0; k + 1 < n_right; ++k) {
    append(right[k].item);
    item(last_child).sibling = right[k].link;
  }
  item(last_child).next_sibling = base;
  plus_[n_plus_++] = id;
}

/// A minus blossom whose dual reached zero falls apart: the even way from where the tree enters it to where it is matched
/// stays in the tree, the other children leave it matched in pairs.
inline void AlternatingTree::expand_blossom(std::int32_t id) noexcept {
  const Link entry = item(id).tree, exit = item(id).link;
  const std::int32_t entry_child = child_with(entry.v, id), exit_child = child_with(exit.u, id);
  auto& ring = climbed_[0];
  std::size_t n = 0, entry_index = 0, exit_index = 0;
  for (std::int32_t child_id = item(id).first_child;; child_id = item(child_id).next_sibling) {
    if (n > 0 && child_id == ring[0].item) break;
    if (child_id == entry_child) entry_index = n;
    if (child_id == exit_child) exit_index = n;
    ring[n++] = {child_id, item(child_id).sibling};
  }
  for (std::size_t k = 0; k < n; ++k) {
    item(ring[k].item).parent = -1;
    for_leaves(ring[k].item, [&](std::int32_t u) { leaf(u).top = ring[k].item; });
  }
  item(id).label = Label::outside;
  erase(minus_, n_minus_, id);
  item(id).n_leaves = 0;
  free_blossoms_[n_free_blossoms_++] = id;
  std::size_t distance = (exit_index + n - entry_index) % n;
  const bool forward = distance % 2 == 0;
  if (!forward) distance = n - distance;
  const auto child_at = [&](std::size_t step) {
    return ring[(entry_index + (forward ? step : (n - step))) % n].item;
  };
  const auto link_after = [&](std::size_t step) {  // from child_at(step) to child_at(step + 1)
    if (forward) return ring[(entry_index + step) % n].link;
    return reversed(ring[(entry_index + 2 * n - step - 1) % n].link);
  };
  // Leaves still hold radius + now_, the children's own duals are true.
  const auto join_minus = [&](std::int32_t child_id, const Link& tree) {
    Item& child = item(child_id);
    child.label = Label::minus;
    child.tree = tree;
    child.dual += now_;
    minus_[n_minus_++] = child_id;
  };
  Link tree = entry;
  for (std::size_t step = 0; step < distance; step += 2) {
    const std::int32_t minus_id = child_at(step), plus_id = child_at(step + 1);
    const Link matched = link_after(step);
    join_minus(minus_id, tree);
    item(minus_id).link = matched;
    Item& plus = item(plus_id);
    plus.link = reversed(matched);
    plus.label = Label::plus;
    plus.dual -= now_;
    plus_[n_plus_++] = plus_id;
    for_leaves(plus_id, [&](std::int32_t u) {
      leaf(u).radius -= 2 * now_;
      add_event(u);
    });
    tree = link_after(step + 1);
  }
  join_minus(child_at(distance), tree);
  item(child_at(distance)).link = exit;
  for (std::size_t step = distance + 1; step < n; step += 2) {
    const Link matched = link_after(step);
    item(child_at(step)).link = matched;
    item(child_at(step + 1)).link = reversed(matched);
    for (const std::int32_t child_id : {child_at(step), child_at(step + 1)})
      for_leaves(child_id, [&](std::int32_t u) { leaf(u).radius -= now_; });
  }
}

}  // namespace spinel::detail
