// SPDX-License-Identifier: Apache-2.0
// The exact matcher for one memory experiment, fixed at compile time: all memory is in the object, decoding only reads tables
// that set-up filled. A branch-free first look gives every detection event half the way to its nearest and pairs those that
// are each other's; what is left is matched by alternating trees (lattice_tree.hpp). The answer is always exact.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_builder.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/match/lattice_tree.hpp>
#include <spinel/match/matcher.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel {

/// Concept `Matcher`, for `experiment` in the numbering given at set-up. Default-constructed it decodes nothing: call `set_up`.
template <MemoryExperiment experiment, class BitOps = NativeBits>
class LatticeMatcher {
  using Layout = LatticeLayout<experiment>;
  using Tables = detail::LatticeTables<experiment>;
  using Tree = detail::LatticeTree<experiment, BitOps>;
  using Builder = detail::LatticeTableBuilder<experiment>;
  using Index = typename Layout::Index;

 public:
  LatticeMatcher() noexcept = default;
  LatticeMatcher(const LatticeMatcher&) = delete;
  LatticeMatcher& operator=(const LatticeMatcher&) = delete;

  /// Bytes that `set_up` needs for a model with this many edges, and only during the call.
  static std::size_t scratch_bytes(std::size_t n_edges) noexcept {
    Arena counter;
    Scratch{}.lay_out(n_edges, counter);
    return counter.used() + Arena::alignment;
  }

  /// Builds the tables for the unrolled model `edges`; weights become fixed point as MatchingGraph says, so totals equal those
  /// of ExactMatcher. Errors: bad_shape (not the experiment's detectors), unsupported (the model is not this lattice with
  /// this numbering: use ExactMatcher), out_of_capacity (scratch, or too many kinds of neighborhoods), and MatchingGraph's.
  Status set_up(Span<const GraphEdge> edges, Span<std::byte> scratch_memory,
                DetectorNumbering numbering = DetectorNumbering::own) noexcept {
    is_set_up_ = false;
    Arena arena(scratch_memory);
    Scratch scratch;
    scratch.lay_out(edges.size(), arena);
    if (arena.overflowed() || scratch_memory.empty()) return Status::out_of_capacity;
    if (const Status status = scratch.graph.build(edges); status != Status::ok) return status;
    LatticeSite* sites = scratch.sites.data();
    if (numbering == DetectorNumbering::own) place_own_detectors<experiment>(sites);
    else place_stim_detectors<experiment>(sites);
    const Status status = scratch.builder[0].build(scratch.graph, sites, tables_, search_);
    if (status != Status::ok) return status;
    for (auto& word : never_fires_) word = 0;
    for (std::size_t k = 0; k < n_detectors(); ++k) {
      id_of_[k] = Layout::id(sites[k]);
      tables_.near_of[id_of_[k]] = tables_.row(id_of_[k]).near;
      if (Builder::is_isolated(scratch.graph, k)) never_fires_[k / 64] |= std::uint64_t{1} << (k % 64);
    }
    nats_per_unit_ = scratch.graph.nats_per_unit();
    is_set_up_ = true;
    return Status::ok;
  }

  /// The minimum-weight explanation of one packed shot. Time grows with the number of events, not of detectors (but for one
  /// read of the bits). Before a successful `set_up`: no flips, outcome no_perfect_matching.
  MatchResult decode(const std::uint8_t* events) noexcept {
    if (SPINEL_UNLIKELY(!is_set_up_)) return {0, 0, MatchOutcome::no_perfect_matching};
    if (!match(events)) {
      tree_.end();
      return {0, 0, MatchOutcome::no_perfect_matching};
    }
    const MatchResult result = finish();
    tree_.end();
    return result;
  }

  /// A shot with its proof: the weight of the matching itself beside the objective of the dual variables (in
  /// `result.weight`), and the flips summed over all pairs. Equal sums mean a minimum, given that the duals are feasible.
  struct Certified {
    MatchResult result;
    std::int64_t primal = 0;
    ObservableFlips flips = 0;
    bool proves_optimality() const noexcept { return primal == result.weight && flips == result.observables; }
  };
  Certified decode_certified(const std::uint8_t* events) noexcept {
    if (!is_set_up_ || !match(events)) {
      tree_.end();
      return {{0, 0, MatchOutcome::no_perfect_matching}, 0, 0};
    }
    Certified certified{finish()};
    for (int k = 0; k < tree_.n_events; ++k) {
      const auto& match = tree_.item(static_cast<Index>(k)).match;
      if (match.v == Tree::unmatched) certified.primal = -1;
      if (match.v >= k) continue;
      certified.primal += detail::distance_of(match.path);
      certified.flips ^= match.path & 1;
    }
    tree_.end();
    return certified;
  }

  static constexpr std::size_t n_detectors() noexcept { return static_cast<std::size_t>(Layout::n_detectors); }
  double nats_per_unit() const noexcept { return nats_per_unit_; }
  /// Bytes of tables that decoding may read, of those that the object holds.
  std::size_t table_bytes() const noexcept { return tables_.bytes(); }
  const Tables& tables() const noexcept { return tables_; }

 private:
  struct Scratch {
    MatchingGraph graph;
    Span<LatticeSite> sites;
    Span<Builder> builder;
    void lay_out(std::size_t n_edges, Arena& arena) noexcept {
      graph.lay_out(n_detectors(), n_edges, arena);
      sites = arena.take<LatticeSite>(n_detectors());
      builder = arena.take<Builder>(1);
    }
  };

  /// False where an event cannot be explained at all.
  bool match(const std::uint8_t* events) noexcept {
    tree_.begin();
    if (!read(events)) return false;
    look_for_nearest();
    int n = pair_nearest();
    // Small trees first: most are, and what they settle spares the others work.
    constexpr int small_tree = 3, any_tree = 1 << 30;
    int n_left = 0;
    for (int k = 0; k < n; ++k) {
      const Index leaf = unpaired_[k];
      if (tree_.top_of(leaf).match.v == Tree::unmatched) tree_.search(tables_, search_, leaf, small_tree);
      unpaired_[n_left] = leaf;
      n_left += tree_.top_of(leaf).match.v == Tree::unmatched;
    }
    for (int k = 0; k < n_left; ++k) {
      const Index leaf = unpaired_[k];
      if (tree_.top_of(leaf).match.v == Tree::unmatched) tree_.search(tables_, search_, leaf, any_tree);
    }
    return true;
  }

  bool read(const std::uint8_t* events) noexcept {
    constexpr std::size_t n_bytes = (n_detectors() + 7) / 8;
    int n = 0;
    std::uint64_t impossible = 0;
    const auto take = [&](std::uint64_t word, std::size_t first) {
      impossible |= word & (never_fires_[first / 64] >> (first % 64));
      for (; word != 0; word &= word - 1) {
        const std::int32_t id = id_of_[first + static_cast<std::size_t>(std::countr_zero(word))];
        tree_.ids[n] = id;
        tree_.event_at[id] = static_cast<Index>(n++);
        const auto at = static_cast<std::uint32_t>(id);
        tree_.bits[at / 64] |= std::uint64_t{1} << (at % 64);
      }
    };
    std::size_t byte = 0;
    if constexpr (std::endian::native == std::endian::little)
      for (; byte + 8 <= n_bytes; byte += 8) {
        std::uint64_t word;
        std::memcpy(&word, events + byte, 8);
        if (8 * byte + 64 > n_detectors()) word &= (std::uint64_t{1} << (n_detectors() - 8 * byte)) - 1;
        take(word, 8 * byte);
      }
    for (; byte < n_bytes; ++byte) {
      std::uint64_t word = events[byte];
      if (8 * byte + 8 > n_detectors()) word &= (std::uint64_t{1} << (n_detectors() - 8 * byte)) - 1;
      take(word, 8 * byte);
    }
    tree_.n_events = n;
    return impossible == 0;
  }

  /// Gives every event half the way to its nearest, at most its way to the boundary and half of what the near table sees:
  /// feasible for every pair. Branch-free, because it is as good as random which of the three it is.
  void look_for_nearest() noexcept {
    constexpr int stride = Layout::n_positions;
    std::int64_t total = 0;
    for (int k = 0; k < tree_.n_events; ++k) {
      const int id = tree_.ids[k];
      const detail::NearTable& near = tables_.near[tables_.near_of[id]];
      const int from = id - detail::window_reach;
      const std::uint64_t slots = BitOps::extract(tree_.read(from - stride), near.mask[0]) |
                                  BitOps::extract(tree_.read(from), near.mask[1]) << near.first_slot[1] |
                                  BitOps::extract(tree_.read(from + stride), near.mask[2]) << near.first_slot[2];
      const unsigned rank = BitOps::least_rank(static_cast<std::uint32_t>(slots), near.rank);
      const detail::MarkedDistance nearest = near.distance[rank], boundary = tables_.boundary[id];
      const std::int32_t half = detail::distance_of(nearest) >> 1, way_out = detail::distance_of(boundary);
      const std::int32_t out = (way_out - half - 1) >> 31;  // all ones where the boundary is at most as far
      auto& item = tree_.item(static_cast<Index>(k));
      item.radius = half ^ ((half ^ way_out) & out);
      total += item.radius;
      item.match.path = nearest ^ ((nearest ^ boundary) & static_cast<std::uint32_t>(out));
      item.match.v = static_cast<Index>(-1 + out);
      const std::int32_t some = (static_cast<std::int32_t>(rank) - 16) >> 31;
      nearest_[k] = (id + near.offset[rank]) & some & ~out;
    }
    tree_.weight = total;
  }

  /// Matches what is tight: mutual nearest events and those on the boundary. Returns how many are left in `unpaired_`.
  int pair_nearest() noexcept {
    int n_left = 0;
    detail::MarkedDistance flips = 0;
    nearest_[Layout::n_detectors] = -1;
    for (int k = 0; k < tree_.n_events; ++k) {
      const int other = tree_.event_at[nearest_[k]];
      const int mutual = -static_cast<int>(nearest_[other] == tree_.ids[k]);
      auto& match = tree_.item(static_cast<Index>(k)).match;
      const int mate = (match.v & ~mutual) | (other & mutual);
      match.v = static_cast<Index>(mate);
      unpaired_[n_left] = static_cast<Index>(k);
      n_left += mate == Tree::unmatched;
      flips ^= match.path & static_cast<std::uint32_t>((mate - k) >> 31);
    }
    tree_.flips = flips;
    return n_left;
  }

  /// Flips and weight: those of the first pairing, corrected for the leaves that searches touched.
  MatchResult finish() noexcept {
    std::int64_t weight = tree_.weight;
    if (tree_.has_blossoms()) {
      tree_.for_blossoms([&](Index id, int n_leaves) { weight -= std::int64_t{tree_.item(id).radius} * (n_leaves - 1); });
      tree_.resolve_blossoms();
    }
    detail::MarkedDistance flips = tree_.flips;
    for (int k = 0; k < tree_.n_touched(); ++k) {
      const Index leaf = tree_.touched(k);
      const auto& item = tree_.item(leaf);
      weight += item.radius;
      if (item.match.v < leaf) flips ^= item.match.path;
    }
    return {flips & 1, weight, MatchOutcome::matched};
  }

  // == Permanent: fixed at set-up ==
  Tables tables_;
  std::int32_t id_of_[Layout::n_detectors];
  std::uint64_t never_fires_[(n_detectors() + 63) / 64] = {};
  double nats_per_unit_ = 1;
  bool is_set_up_ = false;
  // == Per shot ==
  Tree tree_;
  std::int32_t nearest_[Layout::n_detectors + 1];
  Index unpaired_[Layout::n_detectors + 1];
  detail::LatticeSearch<experiment> search_;
};

}  // namespace spinel
