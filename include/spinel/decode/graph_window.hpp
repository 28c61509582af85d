// SPDX-License-Identifier: Apache-2.0
// Windows of a stream over any matcher for run-time graphs that can tell the edges of its answer (exact, correlated, union-find):
// an edge is committed with its earlier end, so a path is cut at the seam edge by edge. Slower than LatticeWindow; for correlated
// matching, for models that are no lattice, and as the reference it is tested against.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/code/detectors.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/window.hpp>
#include <spinel/match/correlated.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/union_find.hpp>

namespace spinel {

/// How GraphWindow makes a matcher of type `M` in memory, and asks it for the edges of its last answer.
template <class M>
struct GraphEngine {
  static constexpr Engine engine = Engine::exact;
  static std::size_t memory_needed(std::size_t n_detectors, Span<const GraphEdge> edges, Span<const std::uint32_t>) noexcept {
    return M::memory_needed(n_detectors, edges.size(), 1, {.max_entries = std::size_t{1} << 17, .max_per_node = 96});
  }
  static Result<M> create(std::size_t n_detectors, Span<const GraphEdge> edges, Span<const std::uint32_t>,
                          Span<std::byte> memory) noexcept {
    return M::create(n_detectors, 1, edges, memory, {.max_entries = std::size_t{1} << 17, .max_per_node = 96});
  }
  static M& edges_of(M& matcher) noexcept { return matcher; }
};
template <>
struct GraphEngine<CorrelatedMatcher> {
  static constexpr Engine engine = Engine::correlated;
  static constexpr PathTableOptions options{.max_entries = std::size_t{1} << 17, .max_per_node = 96};
  static std::size_t memory_needed(std::size_t n_detectors, Span<const GraphEdge>, Span<const std::uint32_t> mechanism_of) noexcept {
    return CorrelatedMatcher::memory_needed(n_detectors, mechanism_of, 1, options);
  }
  static Result<CorrelatedMatcher> create(std::size_t n_detectors, Span<const GraphEdge> edges,
                                          Span<const std::uint32_t> mechanism_of, Span<std::byte> memory) noexcept {
    return CorrelatedMatcher::create(n_detectors, 1, edges, mechanism_of, memory, options);
  }
  static ExactMatcher& edges_of(CorrelatedMatcher& matcher) noexcept { return matcher.exact(); }
};
/// Bounded work: for bursts of events. Where few events occur it is slower than the lattice matcher, and less accurate.
template <>
struct GraphEngine<UnionFind> {
  static constexpr Engine engine = Engine::union_find;
  static std::size_t memory_needed(std::size_t n_detectors, Span<const GraphEdge> edges, Span<const std::uint32_t>) noexcept {
    return UnionFind::memory_needed(n_detectors, edges.size());
  }
  static Result<UnionFind> create(std::size_t n_detectors, Span<const GraphEdge> edges, Span<const std::uint32_t>,
                                  Span<std::byte> memory) noexcept {
    return UnionFind::create(n_detectors, 1, edges, memory);
  }
  static UnionFind& edges_of(UnionFind& matcher) noexcept { return matcher; }
};

/// As LatticeWindow, with memory from the caller that must outlive the window.
template <StreamExperiment stream, class M>
class GraphWindow {
  using Models = detail::WindowModels<stream>;

 public:
  static constexpr MemoryExperiment model_experiment = Models::model_experiment;
  using Layout = LatticeLayout<Models::window_experiment.distance, Models::window_experiment.rounds>;
  static constexpr Layout layout{};
  static constexpr int first_layer = 1, last_layer = Models::last_layer;
  static constexpr int first_buffer_layer = first_layer + stream.commit;

  /// Bytes that `set_up` keeps or needs. `mechanism_of[k]` says which mechanism edge k is a component of (components of one stand
  /// together); empty: every edge is one.
  static std::size_t memory_bytes(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of) noexcept {
    std::size_t most = 0;
    for (const WindowKind kind : kinds) {
      std::size_t used = 0;
      Models::for_edges(kind, model, mechanism_of, nullptr, [&](const GraphEdge&, std::uint32_t) { ++used; });
      most = used > most ? used : most;
    }
    // Which edges share a mechanism is what the correlated matcher's memory depends on: none needs more than all of the model's.
    return 3 * (engine_bytes(model, mechanism_of, most) + Arena::alignment) + most * (sizeof(GraphEdge) + 4) +
           n_model_detectors * sizeof(LatticeSite) + 8 * Arena::alignment;
  }

  /// As LatticeWindow::set_up; bad_shape too where the two spans differ in size.
  Status set_up(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of, Span<std::byte> memory) noexcept {
    if (memory.empty()) return Status::out_of_capacity;
    if (!mechanism_of.empty() && mechanism_of.size() != model.size()) return Status::bad_shape;
    Arena arena(memory);
    const auto sites = arena.take<LatticeSite>(n_model_detectors);
    if (arena.overflowed()) return Status::out_of_capacity;
    place_own_detectors(model_experiment, sites.data());
    if (const Status status = Models::check(model, sites.data()); status != Status::ok) return status;
    std::size_t most = 0;
    for (const WindowKind kind : kinds) {
      std::size_t n = 0;
      Models::for_edges(kind, model, mechanism_of, sites.data(), [&](const GraphEdge&, std::uint32_t) { ++n; });
      most = n > most ? n : most;
    }
    const auto edges = arena.take<GraphEdge>(most);
    const auto mechanisms = arena.take<std::uint32_t>(most);
    if (arena.overflowed()) return Status::out_of_capacity;
    for (const WindowKind kind : kinds) {
      std::size_t n = 0;
      Models::for_edges(kind, model, mechanism_of, sites.data(), [&](const GraphEdge& edge, std::uint32_t mechanism) {
        edges[n] = edge;
        mechanisms[n++] = mechanism;
      });
      const std::size_t bytes = GraphEngine<M>::memory_needed(n_detectors, edges.first(n), mechanisms.first(n));
      const auto part = arena.take<std::byte>(bytes);
      if (arena.overflowed()) return Status::out_of_capacity;
      auto made = GraphEngine<M>::create(n_detectors, edges.first(n), mechanisms.first(n), part);
      if (!made) return made.status;
      matcher_[static_cast<int>(kind)] = *made;
    }
    is_set_up_ = true;
    return Status::ok;
  }

  /// As LatticeWindow::decode. The matcher is not interrupted: a deadline that it cannot keep must be seen to before.
  template <class Toggle, class Until = NoDeadline>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&& toggle, const Until& = {}) noexcept {
    WindowAnswer answer{0, 0, 0, GraphEngine<M>::engine};
    if (!is_set_up_) {
      answer.n_unexplained = static_cast<std::int32_t>(events.size());
      return answer;
    }
    M& matcher = matcher_[static_cast<int>(kind)];
    for (auto& byte : packed_) byte = 0;
    for (std::size_t k = 0; k < events.size(); ++k) {
      const std::uint32_t detector = Models::detector_of(layout.site(events[k]));
      packed_[detector / 8] ^= static_cast<std::uint8_t>(1u << (detector % 8));
    }
    const MatchResult result = matcher.decode(packed_);
    if (result.outcome != MatchOutcome::matched) {
      answer.n_unexplained = static_cast<std::int32_t>(events.size());
      return answer;
    }
    if (kind == WindowKind::closing) {
      answer.flips = result.observables;
      return answer;
    }
    auto& engine = GraphEngine<M>::edges_of(matcher);
    engine.for_matched_edges([&](std::uint32_t id) {
      const MergedEdge& edge = engine.graph().edges()[id];
      const int a = layer_of(edge.a), b = edge.b == boundary_node ? a : layer_of(edge.b);
      if ((a < b ? a : b) >= first_buffer_layer) return;
      answer.flips ^= edge.observables;
      if (a >= first_buffer_layer) toggle(id_of(edge.a));
      if (b >= first_buffer_layer && edge.b != boundary_node) toggle(id_of(edge.b));
    });
    return answer;
  }

  std::size_t table_bytes() const noexcept { return 0; }

 private:
  static constexpr WindowKind kinds[3] = {WindowKind::starting, WindowKind::moving, WindowKind::closing};
  static constexpr int h = stream.n_checks();
  static constexpr std::size_t n_model_detectors = static_cast<std::size_t>(model_experiment.n_detectors());
  static constexpr std::size_t n_detectors = static_cast<std::size_t>(Models::window_experiment.n_detectors());

  static constexpr int layer_of(std::uint32_t detector) noexcept { return (static_cast<int>(detector) + h) / (2 * h); }
  static constexpr std::int32_t id_of(std::uint32_t detector) noexcept {
    const int layer = layer_of(detector);
    const int within = static_cast<int>(detector) + h - 2 * h * layer;
    const bool is_x = within < h;
    return layout.id({is_x == (stream.basis == Basis::X) ? 0 : 1, layer, is_x ? within : within - h});
  }
  static std::size_t engine_bytes(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of, std::size_t most) noexcept {
    // The model's own edges repeated: as many edges, and as many pairs within mechanisms, in proportion.
    const std::size_t once = GraphEngine<M>::memory_needed(n_detectors, model, mechanism_of);
    return once * (most / (model.size() + 1) + 2);
  }

  M matcher_[3];
  bool is_set_up_ = false;
  std::uint8_t packed_[(n_detectors + 7) / 8];
};

}  // namespace spinel
