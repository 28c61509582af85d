// SPDX-License-Identifier: Apache-2.0
// What all windows of a stream share, whatever matches them: where a window lies, its model cut out of the unrolled model of a short
// experiment, its answer, and the deadline it may be given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/code/detectors.hpp>
#include <spinel/code/experiment.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_layout.hpp>

namespace spinel {

/// A memory experiment of unbounded length, decoded in windows of `commit` + `buffer` rounds. `buffer` = `commit` = distance
/// costs a few tenths of a percent in logical error rate against the whole history.
struct StreamExperiment {
  int distance = 3;
  int commit = 3;
  int buffer = 3;
  Basis basis = Basis::X;
  Orientation orientation = Orientation::O1;

  constexpr int window() const noexcept { return commit + buffer; }
  constexpr int n_data() const noexcept { return distance * distance; }
  constexpr int n_checks() const noexcept { return (distance * distance - 1) / 2; }
  /// Bits of one round: X checks, then Z checks.
  constexpr int round_bits() const noexcept { return 2 * n_checks(); }
  constexpr MemoryExperiment memory(int rounds) const noexcept { return {distance, rounds, basis, orientation}; }
  friend constexpr bool operator==(const StreamExperiment&, const StreamExperiment&) = default;
};

/// `commit` = `buffer` = distance.
constexpr StreamExperiment stream_of(const MemoryExperiment& experiment) noexcept {
  return {experiment.distance, experiment.distance, experiment.distance, experiment.basis, experiment.orientation};
}

/// Where in a stream a window lies; each has a model of its own.
enum class WindowKind : std::uint8_t {
  starting,  ///< begins with the prepared state, open to the future
  moving,    ///< begins at a seam, open to the future
  closing,   ///< ends with the data read-out: all of it is committed
};

namespace detail {

/// Cuts the models of the three kinds of window out of the unrolled model of a short experiment with `model_rounds` rounds.
template <StreamExperiment stream>
struct WindowModels {
  static constexpr int model_rounds = 8, bulk = 4;
  static constexpr MemoryExperiment model_experiment = stream.memory(model_rounds);
  /// Window layers 1 to window() of this experiment's lattice hold the rounds; a closing window ends with its last layer.
  static constexpr MemoryExperiment window_experiment = stream.memory(stream.window() + 1);
  static constexpr int last_layer = stream.window() + 1;
  static constexpr int h = stream.n_checks();

  /// Round of the model whose edges window layer `layer` starts, or -1.
  static constexpr int source_round(WindowKind kind, int layer) noexcept {
    if (layer < 1) return -1;
    if (kind == WindowKind::closing) return last_layer - layer <= 3 ? model_rounds - (last_layer - layer) : bulk;
    if (layer == last_layer) return -1;
    return kind == WindowKind::starting && layer - 1 < bulk ? layer - 1 : bulk;
  }
  static constexpr std::uint32_t detector_of(const LatticeSite& site) noexcept {
    if (site.type == 0 && site.layer == last_layer)
      return static_cast<std::uint32_t>(boundary_detector_index(window_experiment, site.position));
    const Basis type = site.type == 0 ? stream.basis : opposite(stream.basis);
    return static_cast<std::uint32_t>(detector_index(window_experiment, type, site.position, site.layer));
  }
  static constexpr bool in_window(WindowKind kind, const LatticeSite& site) noexcept {
    if (site.layer < 1 || site.layer > last_layer) return false;
    return site.layer < last_layer || (kind == WindowKind::closing && site.type == 0);
  }
  /// The round whose mechanisms begin in window layer `layer`. A seam cuts through those before it.
  static constexpr int anchor_round(WindowKind kind, int layer) noexcept {
    return layer == 0 && kind != WindowKind::starting ? bulk : source_round(kind, layer);
  }
  /// Calls `visit(edge, mechanism)` for the edges of one kind of window, mechanism by mechanism, each with the round of its earliest
  /// detector; `sites` places the model's detectors. `mechanism_of[k]` says which mechanism edge k is a component of (components of
  /// one stand together); empty: every edge is one. Without `sites` only an upper bound of how many there are matters, and all
  /// edges are given.
  template <class Visit>
  static void for_edges(WindowKind kind, Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of,
                        const LatticeSite* sites, Visit&& visit) noexcept {
    std::uint32_t mechanism = 0;
    for (int layer = 0; layer <= last_layer; ++layer) {
      const int round = anchor_round(kind, layer);
      if (round < 0) continue;
      for_mechanisms(model, mechanism_of, [&](std::size_t begin, std::size_t end, int anchor) {
        if (anchor != round) return;
        for (std::size_t k = begin; k < end; ++k)
          if (sites == nullptr) visit(model[k], mechanism);
          else move(kind, model[k], sites, layer - anchor, [&](const GraphEdge& edge) { visit(edge, mechanism); });
        ++mechanism;
      });
    }
  }
  /// `visit(begin, end, anchor)` for the components of every mechanism; `anchor` is the round of its earliest detector.
  template <class Visit>
  static void for_mechanisms(Span<const GraphEdge> model, Span<const std::uint32_t> mechanism_of, Visit&& visit) noexcept {
    for (std::size_t begin = 0, end = 0; begin < model.size(); begin = end) {
      end = begin + 1;
      while (!mechanism_of.empty() && end < model.size() && mechanism_of[end] == mechanism_of[begin]) ++end;
      int anchor = model_rounds + 1;
      for (std::size_t k = begin; k < end; ++k)
        for (const std::uint32_t node : {model[k].a, model[k].b})
          if (node != boundary_node && round_of(node) < anchor) anchor = round_of(node);
      visit(begin, end, anchor);
    }
  }
  /// Of a detector of the model, in own numbering.
  static constexpr int round_of(std::uint32_t detector) noexcept {
    return static_cast<int>((std::uint64_t{detector} + h) / (2 * h));
  }
  /// Calls `visit(edge)` with what `edge` is `layers` later in a window, if anything.
  template <class Visit>
  static void move(WindowKind kind, const GraphEdge& edge, const LatticeSite* sites, int layers, Visit&& visit) noexcept {
    LatticeSite low = sites[edge.a == boundary_node ? edge.b : edge.a];
    LatticeSite high = sites[edge.b == boundary_node ? edge.a : edge.b];
    if (high.layer < low.layer) {
      const LatticeSite swapped = low;
      low = high;
      high = swapped;
    }
    const bool single = edge.a == boundary_node || edge.b == boundary_node;
    low.layer += layers;
    high.layer += layers;
    if (!in_window(kind, low)) return;
    GraphEdge moved{detector_of(low), boundary_node, edge.probability, edge.observables};
    // What leads out of an open window may end there: the future is a boundary.
    if (!single && in_window(kind, high)) moved.b = detector_of(high);
    visit(moved);
  }
  /// bad_shape: not the detectors of model_experiment; unsupported: an edge over more than one round, or rounds in the
  /// middle that differ.
  static Status check(Span<const GraphEdge> model, const LatticeSite* sites) noexcept {
    double weight_of_round[model_rounds + 1] = {};
    for (const GraphEdge& edge : model) {
      std::int32_t low = model_rounds, high = 0;
      double place = 1;
      for (const std::uint32_t node : {edge.a, edge.b}) {
        if (node == boundary_node) continue;
        if (node >= static_cast<std::uint32_t>(model_experiment.n_detectors())) return Status::bad_shape;
        low = sites[node].layer < low ? sites[node].layer : low;
        high = sites[node].layer > high ? sites[node].layer : high;
        place += 3 * sites[node].position + sites[node].type;
      }
      if (edge.a == boundary_node && edge.b == boundary_node) return Status::bad_argument;
      if (high - low > 1) return Status::unsupported;
      weight_of_round[low] += edge.probability * place;
    }
    for (int round = 3; round + 2 < model_rounds; ++round) {
      const double difference = weight_of_round[round] - weight_of_round[bulk];
      if (!(difference * difference <= 1e-18 * weight_of_round[bulk] * weight_of_round[bulk])) return Status::unsupported;
    }
    return Status::ok;
  }
};

}  // namespace detail

/// Which of the engines gave an answer, the best first.
enum class Engine : std::uint8_t {
  correlated,  ///< two-pass matching
  exact,       ///< minimum-weight perfect matching
  union_find,  ///< bounded work, a valid explanation near the minimum
  local,       ///< nearest events and the boundary; what could be matched exactly in time is
};

constexpr const char* to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::correlated: return "correlated";
    case Engine::exact: return "exact";
    case Engine::union_find: return "union-find";
    case Engine::local: return "local";
  }
  return "unknown engine";
}

/// A window's answer. `flips` are those of everything committed.
struct WindowAnswer {
  ObservableFlips flips = 0;
  std::int32_t n_unexplained = 0;  ///< events that no mechanism of the model fires, left out
  std::int32_t n_unsettled = 0;    ///< events that went to the boundary for want of time
  Engine engine = Engine::exact;
  /// Where a limit was set and the exact matching was done (LatticeWindow::limit_gap): a lower bound of its gap in nats, of how much less
  /// likely whatever differs from it by a chain from side to side within the window is. At most the limit; 0 says nothing.
  double least_gap = 0;
};

/// Time without end: the default of every `decode`.
struct NoDeadline {
  static constexpr bool passed() noexcept { return false; }
};
/// A point in time on a clock of the caller: `clock()` gives a number that does not fall, in the unit of `at`.
template <class Clock>
struct Deadline {
  Clock& clock;
  std::int64_t at = 0;
  bool passed() const noexcept { return clock() >= at; }
  std::int64_t left() const noexcept { return at - clock(); }
};
template <class Clock>
Deadline(Clock&, std::int64_t) -> Deadline<Clock>;

}  // namespace spinel
