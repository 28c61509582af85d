// SPDX-License-Identifier: Apache-2.0
// What lattice_engine_*.cpp instantiate: the matcher of one distance with the memory that it lives in.
#pragma once

#include <cstddef>
#include <memory>
#include <spinel/match/lattice_correlated.hpp>
#include <spinel/match/lattice_gap.hpp>
#include <spinel/match/lattice_matcher.hpp>

#include "lattice_engine.hpp"

namespace spinel::cli::detail {

/// Fixed with the layout where that is, else for any model.
template <int distance, class Layout>
inline constexpr LatticeCapacity capacity_of = LatticeCapacity::any(distance);
template <int distance, class Layout>
  requires(Layout::is_fixed)
inline constexpr LatticeCapacity capacity_of<distance, Layout> = LatticeSizes<Layout>::capacity;

/// What both kinds of engine do once they are set up.
template <class Engine>
class MatchingEngineOf : public LatticeEngine {
 public:
  MatchResult decode(const std::uint8_t* events) override { return engine_.decode(events); }
  double nats_per_unit() const override { return engine_.nats_per_unit(); }
  Status prepare_gap() override {
    const std::size_t n = LatticeGap<Engine>::memory_bytes(static_cast<int>(engine_.tables().layout.last_layer()));
    gap_memory_.reset(new std::byte[n]);
    return gap_.set_up(engine_, {gap_memory_.get(), n});
  }
  ClassCosts decode_both(const std::uint8_t* events, std::int64_t limit) override { return gap_.decode(engine_, events, limit); }

 protected:
  /// Not written: most of the room stays unused, and untouched.
  Span<std::byte> take_memory(std::size_t n) {
    memory_.reset(new std::byte[n]);
    return {memory_.get(), n};
  }
  Engine engine_;

 private:
  std::unique_ptr<std::byte[]> memory_, gap_memory_;
  LatticeGap<Engine> gap_;
};

/// Any rounds at set-up, or with a layout of its own as many as that has.
template <int distance, class Index, class Layout = LatticeLayout<distance>>
class LatticeEngineOf final : public MatchingEngineOf<AnyRoundsLatticeMatcher<distance, Index, NativeBits, Layout>> {
  using Engine = AnyRoundsLatticeMatcher<distance, Index, NativeBits, Layout>;
  static constexpr LatticeCapacity capacity = capacity_of<distance, Layout>;

 public:
  Status set_up(const LatticeTrial& trial) {
    const int rounds = trial.experiment.rounds;
    const std::size_t n_scratch = Engine::scratch_bytes(rounds, capacity, trial.edges.size());
    const std::unique_ptr<std::byte[]> scratch(new std::byte[n_scratch]);
    return this->engine_.set_up(trial.experiment, trial.edges, this->take_memory(Engine::memory_bytes(rounds, capacity)),
                                {scratch.get(), n_scratch}, trial.numbering, capacity);
  }
};

template <int distance, class Index, class Layout = LatticeLayout<distance>>
class CorrelatedEngineOf final : public MatchingEngineOf<AnyRoundsCorrelatedLatticeMatcher<distance, Index, NativeBits, Layout>> {
  using Engine = AnyRoundsCorrelatedLatticeMatcher<distance, Index, NativeBits, Layout>;
  static constexpr LatticeCapacity capacity = capacity_of<distance, Layout>;

 public:
  Status set_up(const LatticeTrial& trial) {
    const int rounds = trial.experiment.rounds;
    const std::size_t n_scratch = Engine::scratch_bytes(rounds, capacity, trial.mechanism_of);
    const std::unique_ptr<std::byte[]> scratch(new std::byte[n_scratch]);
    return this->engine_.set_up(trial.experiment, trial.edges, trial.mechanism_of,
                                this->take_memory(Engine::memory_bytes(rounds, capacity)), {scratch.get(), n_scratch}, trial.numbering,
                                capacity);
  }
};

template <class Engine>
std::unique_ptr<LatticeEngine> made(const LatticeTrial& trial, Status& status) {
  auto engine = std::make_unique<Engine>();
  status = engine->set_up(trial);
  if (status != Status::ok) return nullptr;
  return engine;
}

/// Fewer rounds need smaller numbers, of which vectors hold more; small experiments with as many rounds as their distance have a layout of
/// their own, up to `d_tries_few`: their engine pairs few events by trying everything.
template <template <int, class, class> class EngineOf, int d, int d_tries_few>
std::unique_ptr<LatticeEngine> engine_of(const LatticeTrial& trial, Status& status) {
  const int rounds = trial.experiment.rounds;
  if constexpr (d <= d_tries_few)
    if (rounds == d)
      if (auto engine = made<EngineOf<d, std::int16_t, LatticeLayout<d, d>>>(trial, status)) return engine;  // else too uneven for its tables
  if (rounds <= LatticeLayout<d>::template max_rounds_of<std::int16_t>()) return made<EngineOf<d, std::int16_t, LatticeLayout<d>>>(trial, status);
  if (rounds <= LatticeLayout<d>::max_rounds) return made<EngineOf<d, std::int32_t, LatticeLayout<d>>>(trial, status);
  status = Status::bad_argument;
  return nullptr;
}

/// The one of `distances` that the experiment has.
template <template <int, class, class> class EngineOf, int d_tries_few, int... distances>
std::unique_ptr<LatticeEngine> engine_among(const LatticeTrial& trial, Status& status) {
  std::unique_ptr<LatticeEngine> engine;
  status = Status::bad_argument;
  ((distances == trial.experiment.distance ? void(engine = engine_of<EngineOf, distances, d_tries_few>(trial, status)) : void()), ...);
  return engine;
}
template <int... distances>
std::unique_ptr<LatticeEngine> lattice_among(const LatticeTrial& trial, Status& status) {
  return engine_among<LatticeEngineOf, 5, distances...>(trial, status);
}
template <int... distances>
std::unique_ptr<LatticeEngine> correlated_among(const LatticeTrial& trial, Status& status) {
  return engine_among<CorrelatedEngineOf, 7, distances...>(trial, status);
}

}  // namespace spinel::cli::detail
