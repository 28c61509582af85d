// SPDX-License-Identifier: Apache-2.0
// The exact matcher for one memory experiment, fixed at compile time: all memory is in the object, decoding only reads tables
// that set-up filled. A branch-free first look gives every detection event half the way to its nearest and pairs those that
// are each other's; what is left is matched by alternating trees (lattice_tree.hpp). The answer is always exact.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/few_events.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_builder.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_metric.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/match/lattice_tree.hpp>
#include <spinel/match/matcher.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel {

template <class Matcher>
class LatticeGap;

/// Concept `Matcher` for memory experiments of one distance and any number of rounds, in memory from the caller.
/// `Index` limits the rounds: LatticeLayout::max_rounds_of. Default-constructed it decodes nothing: call `set_up`. Several models of
/// the same lattice (a stream's windows) may share one object and its working memory: `n_models`. A second pass needs room for more
/// candidates, and has few events of its own.
template <int d, class Index_ = std::int32_t, class BitOps = NativeBits, class Layout_ = LatticeLayout<d>, int n_models = 1,
          bool is_first_pass = false>
class AnyRoundsLatticeMatcher {
 protected:
  using Events = detail::LatticeEvents<Layout_, Index_, is_first_pass ? 128 : 16>;

 private:
  using Layout = Layout_;
  using Sizes = LatticeSizes<Layout>;
  using Tables = detail::LatticeTables<Layout>;
  using Search = detail::LatticeSearch<Layout>;
  using Builder = detail::LatticeTableBuilder<Layout>;
  using Index = Index_;
  template <class Matcher>
  friend class LatticeGap;

 public:
  using Tree = detail::LatticeTree<Layout, Index_, BitOps>;

  AnyRoundsLatticeMatcher() noexcept = default;
  AnyRoundsLatticeMatcher(const AnyRoundsLatticeMatcher&) = delete;
  AnyRoundsLatticeMatcher& operator=(const AnyRoundsLatticeMatcher&) = delete;

  static constexpr int max_rounds() noexcept { return Layout::template max_rounds_of<Index>(); }
  /// Bytes that the matcher lives in beside the object itself.
  static std::size_t memory_bytes(int rounds, const LatticeCapacity& capacity) noexcept {
    if constexpr (Layout::is_fixed) {
      return 0;
    } else {
      Arena counter;
      AnyRoundsLatticeMatcher sized;
      sized.lay_out(Layout(rounds), capacity, counter);
      return counter.used() + Arena::alignment;
    }
  }
  /// Bytes that `set_up` needs for a model with this many edges, and only during the call.
  static std::size_t scratch_bytes(int rounds, const LatticeCapacity& capacity, std::size_t n_edges) noexcept {
    Arena counter;
    Scratch{}.lay_out(Layout(rounds), capacity, n_edges, counter);
    return counter.used() + Arena::alignment;
  }

  /// Builds the tables for the unrolled model `edges`; weights become fixed point as MatchingGraph says, so totals equal those
  /// of ExactMatcher. Errors: bad_shape (not the experiment's detectors), unsupported (the model is not this lattice with
  /// this numbering: use ExactMatcher), out_of_capacity (memory, or too many kinds of neighborhoods), bad_argument (another
  /// distance, too many rounds), and MatchingGraph's.
  Status set_up(const MemoryExperiment& experiment, Span<const GraphEdge> edges, Span<std::byte> memory,
                Span<std::byte> scratch_memory, DetectorNumbering numbering = DetectorNumbering::own,
                const LatticeCapacity& capacity = LatticeCapacity::uniform(d), int model = 0) noexcept {
    return set_up(experiment, edges, memory, scratch_memory, numbering, capacity, model,
                  [](const MatchingGraph&, const LatticeSite*) { return Status::ok; });
  }

  /// The minimum-weight explanation of one packed shot. Time grows with the number of events, not of detectors (but for one
  /// read of the bits). Before a successful `set_up`: no flips, outcome no_perfect_matching.
  MatchResult decode(const std::uint8_t* events) noexcept {
    return decode_few_or(events, [](std::size_t) { return ~std::uint64_t{0}; });
  }
  /// The same for the check type whose edges flip the observable alone: the same flips in about half the time. The other type is
  /// not looked at: `weight` is without it, and what it cannot explain goes unnoticed.
  MatchResult decode_observable(const std::uint8_t* events) noexcept {
    return decode_few_or(events, [this](std::size_t first) { return decisive_[first / 64]; });
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
    if (!is_set_up_[0] || !match(events)) {
      end();
      return {{0, 0, MatchOutcome::no_perfect_matching}, 0, 0};
    }
    const Certified certified = prove(finish());
    end();
    return certified;
  }

  static constexpr int boundary_mate = -1, unsettled_mate = -2;
  static constexpr bool uses_mechanisms = false;

  /// Matches the events at `ids[0..n)` (distinct, `layout.id` of places that exist, n <= n_detectors()) under `model` and calls
  /// `visit(k, mate, path)` for every k in [0, n): `mate` is another index, `boundary_mate` or `unsettled_mate`, `path` the distance
  /// with the observable flip of the path in its lowest bit. Events that no mechanism of the model fires are left out.
  /// `stop()` is asked before every search; once it says true, the events that are still single stay so (`path` is then their way
  /// to the boundary): what is matched is a part of an exact matching. `then()` is called in the end, to walk the paths, and `again()`
  /// where all is matched: it may ask for `dual`s.
  struct PlacesMatched {
    int n_unexplained = 0;      ///< events left out
    int n_unsettled = 0;        ///< events left single because of `stop`; 0: the matching is exact
    bool is_correlated = false;  ///< a second pass was done (lattice_correlated.hpp)
  };
  template <class Visit, class Stop, class Then, class Counts, class Again>
  PlacesMatched match_places(int model, const std::int32_t* ids, int n, Visit&& visit, Stop&& stop, Then&& then, Counts&&,
                             Again&& again) noexcept {
    if (SPINEL_UNLIKELY(!is_set_up_[model])) return {n, 0};
    read_places(tables_[model], ids, n);
    const int n_unsettled = match_events(tables_[model], stop);
    if (tree_.has_blossoms()) tree_.resolve_blossoms();
    if (n_unsettled == 0) again();
    for_given(visit);
    then();
    const int n_unexplained = n - events_.n_events;
    end();
    return {n_unexplained, n_unsettled};
  }
  /// During `match_places`: how many events are matched, and what each has to say for the matching's being one of least weight. `top` is
  /// the same for events that have a blossom around them.
  struct Dual {
    std::int32_t id = 0, radius = 0, top = 0;
  };
  int n_duals() const noexcept { return events_.n_events; }
  Dual dual(int k) const noexcept {
    const auto& dual = tree_.dual(static_cast<Index>(k));
    return {events_.ids[k], dual.radius, dual.top};
  }
  /// For walking paths: distances from a place to all others nearer than `limit`, as `visit(id, distance with flip)`, no place
  /// before those that it is reached by. A place may be visited again, nearer.
  template <class Visit>
  void for_places_within(int model, std::int32_t id, std::int32_t limit, Visit&& visit) noexcept {
    search_.from(tables_[model], id, limit, visit);
  }
  /// `visit(id, weight with flip)` for the edges at a place, with `boundary_mate` for the one to the boundary.
  template <class Visit>
  void for_edges_at(int model, std::int32_t id, Visit&& visit) const noexcept {
    const Tables& tables = tables_[model];
    const int row = tables.layout.edge_row(tables.layout.site(id));
    for (int e = 0; e < tables.degree[row]; ++e) visit(id + tables.edges[row][e].offset, tables.edges[row][e].weight);
    if (tables.boundary_edge[row] != 0) visit(boundary_mate, tables.boundary_edge[row]);
  }

  std::size_t n_detectors() const noexcept { return static_cast<std::size_t>(tables_[0].layout.n_detectors()); }
  double nats_per_unit(int model = 0) const noexcept { return nats_per_unit_[model]; }
  /// Bytes of tables that decoding may read, of those that the object holds.
  std::size_t table_bytes(int model = 0) const noexcept {
    return tables_[model].bytes() + (has_few_events ? sizeof few_events_ : 0);
  }
  const Tables& tables(int model = 0) const noexcept { return tables_[model]; }

 protected:
  /// Where all distances fit a small table, up to ten events of a type are paired by trying everything.
  static constexpr bool has_few_events =
      !is_first_pass && Layout::is_fixed && n_models == 1 && Sizes::detectors <= detail::FewEvents<BitOps>::n_detectors_max;
  /// `more(graph, sites)` adds what a derived engine needs.
  template <class More>
  Status set_up(const MemoryExperiment& experiment, Span<const GraphEdge> edges, Span<std::byte> memory,
                Span<std::byte> scratch_memory, DetectorNumbering numbering, const LatticeCapacity& capacity, int model,
                More&& more) noexcept {
    Tables& tables = tables_[model];
    is_set_up_[model] = false;
    if (experiment.validate() != Status::ok || experiment.distance != d || experiment.rounds > max_rounds())
      return Status::bad_argument;
    const Layout layout(experiment.rounds);
    Arena arena(scratch_memory), own(memory);
    Scratch scratch;
    scratch.lay_out(layout, capacity, edges.size(), arena);
    lay_out(layout, capacity, own);
    if (arena.overflowed() || scratch_memory.empty()) return Status::out_of_capacity;
    if (!Layout::is_fixed && (own.overflowed() || memory.empty())) return Status::out_of_capacity;
    if (const Status status = scratch.graph.build(edges); status != Status::ok) return status;
    LatticeSite* sites = scratch.sites.data();
    if (numbering == DetectorNumbering::own) place_own_detectors(experiment, sites);
    else place_stim_detectors(experiment, sites);
    events_.clear(layout);
    tree_.clear(layout);
    search_.clear(layout);
    const Status status = scratch.builder[0].build(scratch.graph, sites, tables, search_);
    if (status != Status::ok) return status;
    if (model == 0)
      for (std::size_t k = 0; k < (n_detectors() + 63) / 64; ++k) never_fires_[k] = decisive_[k] = first_type_[k] = 0;
    for (const MergedEdge& edge : scratch.graph.edges())
      if (edge.observables != 0 && model == 0) decisive_type_ = sites[edge.a].type;
    for (std::size_t k = 0; k < n_detectors(); ++k) {
      id_of_[k] = layout.id(sites[k]);
      const detail::SiteRow& row = tables.rows[layout.site_row(sites[k])];
      tables.near_of[id_of_[k]] = row.near;
      tables.window_of[id_of_[k]] = row.window;
      if (model == 0 && sites[k].type == 0) first_type_[k / 64] |= std::uint64_t{1} << (k % 64);
      if (model == 0 && sites[k].type == decisive_type_) decisive_[k / 64] |= std::uint64_t{1} << (k % 64);
      if (model == 0 && Builder::is_isolated(scratch.graph, k)) never_fires_[k / 64] |= std::uint64_t{1} << (k % 64);
    }
    if constexpr (has_few_events) {
      few_events_.clear();
      for (std::size_t k = 0; k < n_detectors(); ++k) few_events_.add_boundary(static_cast<int>(k), way_out(k));
      for_distances([&](int a, int b, detail::MarkedDistance distance) { few_events_.add(a, b, distance); });
      few_events_.finish();
    }
    if (const Status more_status = more(scratch.graph, sites); more_status != Status::ok) return more_status;
    nats_per_unit_[model] = scratch.graph.nats_per_unit();
    is_set_up_[model] = true;
    return Status::ok;
  }
  struct Scratch {
    MatchingGraph graph;
    Span<LatticeSite> sites;
    Span<Builder> builder;
    void lay_out(const Layout& layout, const LatticeCapacity& capacity, std::size_t n_edges, Arena& arena) noexcept {
      const auto n = static_cast<std::size_t>(layout.n_detectors());
      graph.lay_out(n, n_edges, arena);
      sites = arena.take<LatticeSite>(n);
      builder = arena.take<Builder>(1);
      Builder::lay_out(builder.data(), capacity, arena);
    }
  };
  constexpr void lay_out(const Layout& layout, const LatticeCapacity& capacity, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    for (Tables& tables : tables_) tables.lay_out(layout, capacity, arena);
    events_.lay_out(layout, arena);
    tree_.lay_out(layout, arena);
    search_.lay_out(layout, arena);
    id_of_.lay_out(n, arena);
    never_fires_.lay_out((n + 63) / 64, arena);
    decisive_.lay_out((n + 63) / 64, arena);
    first_type_.lay_out((n + 63) / 64, arena);
    nearest_.lay_out(n + 16, arena);
    path_.lay_out(n + 16, arena);
    boundary_.lay_out(n + 16, arena);
    unpaired_.lay_out(n + 16, arena);
    given_.lay_out(n + 1, arena);
    fired_.lay_out(n + 64, arena);
  }

  /// `visit(a, b, marked distance)` for every two detectors of one part of the lattice, either way round.
  template <class Visit>
  void for_distances(Visit&& visit) noexcept {
    const auto n = static_cast<int>(n_detectors());
    for (int k = 0; k < n; ++k) events_.event_at[id_of_[k]] = static_cast<Index>(k);
    for (int a = 0; a < n; ++a)
      search_.from(tables_[0], id_of_[a], Tables::no_limit,
                   [&](int id, detail::MarkedDistance distance) { visit(a, static_cast<int>(events_.event_at[id]), distance); });
  }
  detail::MarkedDistance way_out(std::size_t detector) const noexcept { return tables_[0].boundary[id_of_[detector]]; }
  struct Nothing {};
  /// The events of a small experiment by check type: bit k of word w for detector 64 w + k.
  struct FewWords {
    std::uint64_t of_type[2][2];
    int n[2];
  };
  template <class Kept>
  FewWords few_of(const std::uint8_t* events, Kept&& kept) const noexcept {
    const std::size_t n = n_detectors();
    FewWords few;
    for (int w = 0; w < 2; ++w) {
      const auto first = static_cast<std::size_t>(64 * w);
      const std::uint64_t word = first < n ? load_word(events, first, n) & kept(first) : 0, of_first = first < n ? first_type_[w] : 0;
      few.of_type[0][w] = word & of_first;
      few.of_type[1][w] = word & ~of_first;
    }
    for (int type = 0; type < 2; ++type) few.n[type] = count_ones(few.of_type[type][0]) + count_ones(few.of_type[type][1]);
    return few;
  }
  /// Tries everything where the events are few, else searches.
  template <class Kept>
  MatchResult decode_few_or(const std::uint8_t* events, Kept&& kept) noexcept {
    if constexpr (has_few_events) {
      if (SPINEL_UNLIKELY(!is_set_up_[0])) return {0, 0, MatchOutcome::no_perfect_matching};
      const FewWords few = few_of(events, kept);
      if (SPINEL_LIKELY(few.n[0] <= few_events_.n_events_max && few.n[1] <= few_events_.n_events_max)) {
        MatchResult result{0, 0, MatchOutcome::matched};
        detail::MarkedDistance flips = 0;
        bool matched = true;
        for (int type = 0; type < 2; ++type) matched &= few_events_.pair(few.of_type[type], few.n[type], result.weight, flips);
        result.observables = flips;
        if (SPINEL_LIKELY(matched)) return result;
      }
    }
    return decode_kept(events, kept, [](const MatchResult&) {});
  }
  /// `then(result)` finds the state that the decoding left.
  template <class Then>
  MatchResult decode_then(const std::uint8_t* events, Then&& then) noexcept {
    return decode_kept(events, [](std::size_t) { return ~std::uint64_t{0}; }, then);
  }
  template <class Then>
  MatchResult decode_observable_then(const std::uint8_t* events, Then&& then) noexcept {
    return decode_kept(events, [this](std::size_t first) { return decisive_[first / 64]; }, then);
  }
  /// `kept(first)`: which of the 64 detectors from `first` on, a multiple of 64, count.
  template <class Kept, class Then>
  MatchResult decode_kept(const std::uint8_t* events, Kept&& kept, Then&& then) noexcept {
    if (SPINEL_UNLIKELY(!is_set_up_[0])) return {0, 0, MatchOutcome::no_perfect_matching};
    if (!match(events, kept)) {
      end();
      return {0, 0, MatchOutcome::no_perfect_matching};
    }
    const MatchResult result = finish();
    then(result);
    end();
    return result;
  }
  void end() noexcept {
    tree_.end([&](Index leaf) { events_.forget(leaf); });
    events_.end();
  }
  Certified prove(const MatchResult& result) const noexcept {
    Certified certified{result};
    for (int k = 0; k < events_.n_events; ++k) {
      const auto& match = tree_.match(static_cast<Index>(k));
      if (match.v == Tree::unmatched) certified.primal = -1;
      if (match.v >= k) continue;
      certified.primal += detail::distance_of(match.path);
      certified.flips ^= match.path & 1;
    }
    return certified;
  }
  /// False where an event cannot be explained at all.
  bool match(const std::uint8_t* events) noexcept {
    return match(events, [](std::size_t) { return ~std::uint64_t{0}; });
  }
  template <class Kept>
  bool match(const std::uint8_t* events, Kept&& kept) noexcept {
    tree_.begin();
    events_.begin();
    if (!read(events, kept)) return false;
    match_events(tables_[0], [] { return false; });
    return true;
  }
  /// The events of `match_places`, without those that no mechanism fires; `given_` says which they were.
  void read_places(const Tables& tables, const std::int32_t* ids, int n) noexcept {
    tree_.begin();
    events_.begin();
    int n_read = 0;
    for (int k = 0; k < n; ++k) {
      const std::int32_t id = ids[k];
      if (SPINEL_UNLIKELY(tables.boundary[id] == Tables::no_limit)) continue;
      given_[n_read] = static_cast<Index>(k);
      events_.ids[n_read] = id;
      events_.event_at[id] = static_cast<Index>(n_read++);
      const auto at = static_cast<std::uint32_t>(id);
      events_.bits[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    events_.n_events = n_read;
  }
  /// `visit(k, mate, path)` as in `match_places`.
  template <class Visit>
  void for_given(Visit&& visit) const noexcept {
    for (int k = 0; k < events_.n_events; ++k) {
      const auto& match = tree_.match(static_cast<Index>(k));
      const int mate = match.v >= 0 ? static_cast<int>(given_[match.v]) : match.v == Tree::unsettled ? unsettled_mate : boundary_mate;
      visit(static_cast<int>(given_[k]), mate, match.path);
    }
  }
  /// Returns how many events were left single because of `stop`.
  template <class Stop>
  int match_events(const Tables& tables, Stop&& stop) noexcept {
    detail::LatticeMetric<Tree, BitOps, Events> metric(tables, search_, events_, tree_);
    look_for_nearest(tables);
    const int n_left = pair_nearest();
    // Most of them will look; here the tables of several are waited for at once.
    for (int k = 0; k < n_left; ++k) metric.explore(unpaired_[k], 0);
    return search_all(metric, n_left, tables, stop);
  }
  /// Matches the first `n` of `unpaired_`, and whom that undoes. Small trees first: most are, and what they settle spares the
  /// others work. Returns how many were left single because of `stop`.
  template <class AnyMetric, class Stop>
  int search_all(AnyMetric& metric, int n, const Tables& tables, Stop&& stop) noexcept {
    constexpr int small_tree = 3, any_tree = 1 << 30;
    int n_left = 0;
    bool stopped = false;
    for (int k = 0; k < n; ++k) {
      const Index leaf = unpaired_[k];
      if (tree_.match_around(leaf).v == Tree::unmatched && !(stopped = stopped || stop()))
        tree_.search(metric, leaf, small_tree);
      unpaired_[n_left] = leaf;
      n_left += tree_.match_around(leaf).v == Tree::unmatched;
    }
    int n_unsettled = 0;
    for (int k = 0; k < n_left; ++k) {
      const Index leaf = unpaired_[k];
      if (tree_.match_around(leaf).v != Tree::unmatched) continue;
      if (!(stopped = stopped || stop())) {
        tree_.search(metric, leaf, any_tree);
      } else {
        auto& match = tree_.match_around(leaf);
        match.v = Tree::unsettled;
        match.path = tables.boundary[events_.ids[match.u]];
        ++n_unsettled;
      }
    }
    return n_unsettled;
  }

  /// False where an event is among them that no mechanism fires.
  template <class Kept>
  bool read(const std::uint8_t* events, Kept&& kept) noexcept {
    // Words first, then the events of all of them: two loops whose ends are predictable, instead of one for every word.
    constexpr std::size_t n_bits_at_once = 65536;
    std::uint16_t* const fired = fired_;
    const std::size_t n_detectors = this->n_detectors();
    int n = 0;
    std::uint64_t impossible = 0;
    for (std::size_t begin = 0; begin < n_detectors; begin += n_bits_at_once) {
      const std::size_t end = begin + n_bits_at_once < n_detectors ? begin + n_bits_at_once : n_detectors;
      int n_fired = 0;
      const auto take = [&](std::size_t first, std::uint64_t word) {
        word &= kept(first);
        impossible |= word & never_fires_[first / 64];
        n_fired += BitOps::positions(word, static_cast<unsigned>(first - begin), fired + n_fired);
      };
      std::size_t first = begin;
      for (; first + 64 <= end; first += 64) take(first, load_word(events, first, first + 64));
      if (first < end) take(first, load_word(events, first, end));
      for (int k = 0; k < n_fired; ++k) {
        const std::int32_t id = id_of_[begin + fired[k]];
        events_.ids[n] = id;
        events_.event_at[id] = static_cast<Index>(n++);
        const auto at = static_cast<std::uint32_t>(id);
        events_.bits[at / 64] |= std::uint64_t{1} << (at % 64);
      }
    }
    events_.n_events = n;
    return impossible == 0;
  }
  /// Gives every event half the way to its nearest, at most its way to the boundary and half of what the near table sees:
  /// feasible for every pair. Branch-free, because it is as good as random which of the three it is. What is looked up goes to
  /// arrays first, so that the arithmetic on them is done for many events at once.
  void look_for_nearest(const Tables& tables) noexcept {
    const int n = events_.n_events;
    for (int k = 0; k < n; ++k) {
      const int id = events_.ids[k];
      const detail::NearTable& near = tables.near[tables.near_of[id]];
      const int rank = std::countr_zero(events_.around(id).template slots<BitOps>(near) | 1u << 16);
      path_[k] = static_cast<std::int32_t>(near.distance[rank]);
      boundary_[k] = static_cast<std::int32_t>(tables.boundary[id]);
      nearest_[k] = (id + near.offset[rank]) & ((rank >> 4) - 1);  // 0 where there is none
    }
    tree_.weight = BitOps::take_halves(n, path_, boundary_, nearest_, &tree_.dual(0));
  }

  /// Matches what is tight: mutual nearest events and those on the boundary. Returns how many are left in `unpaired_`.
  int pair_nearest() noexcept {
    const int n = events_.n_events;
    nearest_[n_detectors()] = -1;
    for (int k = 0; k < n; ++k) {
      const int other = events_.event_at[nearest_[k]];
      const int mutual = -static_cast<int>(nearest_[other] == events_.ids[k]);
      boundary_[k] = (boundary_[k] & ~mutual) | (other & mutual);
    }
    return BitOps::link_mates(n, path_, boundary_, &tree_.match(0), &unpaired_[0], tree_.flips);
  }

  /// Flips and weight: those of the first pairing, corrected for the leaves that searches touched.
  MatchResult finish() noexcept {
    std::int64_t weight = tree_.weight;
    if (tree_.has_blossoms()) {
      tree_.for_blossoms([&](Index id, int n_leaves) { weight -= std::int64_t{tree_.dual(id).radius} * (n_leaves - 1); });
      tree_.resolve_blossoms();
    }
    detail::MarkedDistance flips = tree_.flips;
    for (int k = 0; k < tree_.n_touched(); ++k) {
      const Index leaf = tree_.touched(k);
      const auto& match = tree_.match(leaf);
      weight += tree_.dual(leaf).radius;
      flips ^= match.path & static_cast<std::uint32_t>((match.v - leaf) >> 31);
    }
    return {flips & 1, weight, MatchOutcome::matched};
  }

  // == Permanent: fixed at set-up ==
  Tables tables_[n_models];
  LatticeArray<std::int32_t, Sizes::of(Sizes::detectors)> id_of_;
  LatticeArray<std::uint64_t, Sizes::of((Sizes::detectors + 63) / 64)> never_fires_, decisive_, first_type_;
  [[no_unique_address]] std::conditional_t<has_few_events, detail::FewEvents<BitOps>, Nothing> few_events_;
  std::int32_t decisive_type_ = 0;
  double nats_per_unit_[n_models] = {};
  bool is_set_up_[n_models] = {};
  // == Per shot ==
  Events events_;
  Tree tree_;
  Search search_;
  /// The first pairing by event: the nearest one's id, the way to it or to the boundary, and the boundary or, then, the mate.
  LatticeArray<std::int32_t, Sizes::of(Sizes::detectors + 16)> nearest_, path_, boundary_;
  LatticeArray<Index, Sizes::of(Sizes::detectors + 16)> unpaired_;
  LatticeArray<Index, Sizes::of(Sizes::detectors + 1)> given_;
  LatticeArray<std::uint16_t, Sizes::of(Sizes::detectors + 64)> fired_;
};

/// The same for one experiment, with its memory inside: `sizeof` is all that it will ever use.
template <MemoryExperiment experiment, class BitOps = NativeBits, int n_models = 1>
class LatticeMatcher : public AnyRoundsLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps,
                                                      LatticeLayout<experiment.distance, experiment.rounds>, n_models> {
  static_assert(RequireValid<experiment>::value);
  using Layout = LatticeLayout<experiment.distance, experiment.rounds>;
  using Engine = AnyRoundsLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps, Layout, n_models>;
  static constexpr LatticeCapacity capacity = LatticeSizes<Layout>::capacity;

 public:
  static std::size_t scratch_bytes(std::size_t n_edges) noexcept {
    return Engine::scratch_bytes(experiment.rounds, capacity, n_edges);
  }
  /// As AnyRoundsLatticeMatcher::set_up.
  Status set_up(Span<const GraphEdge> edges, Span<std::byte> scratch_memory,
                DetectorNumbering numbering = DetectorNumbering::own, int model = 0) noexcept {
    return Engine::set_up(experiment, edges, {}, scratch_memory, numbering, capacity, model);
  }
  static constexpr std::size_t n_detectors() noexcept { return static_cast<std::size_t>(experiment.n_detectors()); }
};

}  // namespace spinel
