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

template <int distance, class Index>
class LatticeEngineOf final : public LatticeEngine {
  using Engine = AnyRoundsLatticeMatcher<distance, Index>;
  static constexpr LatticeCapacity capacity = LatticeCapacity::any(distance);

 public:
  Status set_up(const LatticeTrial& trial) {
    const int rounds = trial.experiment.rounds;
    const std::size_t n = Engine::memory_bytes(rounds, capacity);
    const std::size_t n_scratch = Engine::scratch_bytes(rounds, capacity, trial.edges.size());
    memory_.reset(new std::byte[n]);  // not written: most of the room stays unused, and untouched
    const std::unique_ptr<std::byte[]> scratch(new std::byte[n_scratch]);
    return engine_.set_up(trial.experiment, trial.edges, {memory_.get(), n}, {scratch.get(), n_scratch}, trial.numbering, capacity);
  }
  MatchResult decode(const std::uint8_t* events) override { return engine_.decode(events); }
  double nats_per_unit() const override { return engine_.nats_per_unit(); }
  Status prepare_gap() override {
    const std::size_t n = LatticeGap<Engine>::memory_bytes(static_cast<int>(engine_.tables().layout.last_layer()));
    gap_memory_.reset(new std::byte[n]);
    return gap_.set_up(engine_, {gap_memory_.get(), n});
  }
  ClassCosts decode_both(const std::uint8_t* events, std::int64_t limit) override { return gap_.decode(engine_, events, limit); }

 private:
  std::unique_ptr<std::byte[]> memory_, gap_memory_;
  Engine engine_;
  LatticeGap<Engine> gap_;
};

/// The index type is the one for any number of rounds.
template <int distance>
class CorrelatedEngineOf final : public LatticeEngine {
  using Engine = AnyRoundsCorrelatedLatticeMatcher<distance, std::int32_t>;
  static constexpr LatticeCapacity capacity = LatticeCapacity::any(distance);

 public:
  Status set_up(const LatticeTrial& trial) {
    const int rounds = trial.experiment.rounds;
    const std::size_t n = Engine::memory_bytes(rounds, capacity);
    const std::size_t n_scratch = Engine::scratch_bytes(rounds, capacity, trial.mechanism_of);
    memory_.reset(new std::byte[n]);
    const std::unique_ptr<std::byte[]> scratch(new std::byte[n_scratch]);
    return engine_.set_up(trial.experiment, trial.edges, trial.mechanism_of, {memory_.get(), n}, {scratch.get(), n_scratch},
                          trial.numbering, capacity);
  }
  MatchResult decode(const std::uint8_t* events) override { return engine_.decode(events); }
  double nats_per_unit() const override { return engine_.nats_per_unit(); }

 private:
  std::unique_ptr<std::byte[]> memory_;
  Engine engine_;
};

template <class Engine>
std::unique_ptr<LatticeEngine> made(const LatticeTrial& trial, Status& status) {
  auto engine = std::make_unique<Engine>();
  status = engine->set_up(trial);
  if (status != Status::ok) return nullptr;
  return engine;
}

/// The one of `distances` that the experiment has.
template <int... distances>
std::unique_ptr<LatticeEngine> engine_among(const LatticeTrial& trial, Status& status) {
  std::unique_ptr<LatticeEngine> engine;
  status = Status::bad_argument;
  const int rounds = trial.experiment.rounds;
  const auto make = [&]<int d>() {
    if (rounds <= LatticeLayout<d>::template max_rounds_of<std::int16_t>()) engine = made<LatticeEngineOf<d, std::int16_t>>(trial, status);
    else if (rounds <= LatticeLayout<d>::max_rounds) engine = made<LatticeEngineOf<d, std::int32_t>>(trial, status);
  };
  ((distances == trial.experiment.distance ? make.template operator()<distances>() : void()), ...);
  return engine;
}

template <int... distances>
std::unique_ptr<LatticeEngine> correlated_among(const LatticeTrial& trial, Status& status) {
  std::unique_ptr<LatticeEngine> engine;
  status = Status::bad_argument;
  const auto make = [&]<int d>() {
    if (trial.experiment.rounds <= LatticeLayout<d>::max_rounds) engine = made<CorrelatedEngineOf<d>>(trial, status);
  };
  ((distances == trial.experiment.distance ? make.template operator()<distances>() : void()), ...);
  return engine;
}

}  // namespace spinel::cli::detail
