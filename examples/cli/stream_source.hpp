// SPDX-License-Identifier: Apache-2.0
// Where the program, its tests and its benchmarks get streams from: rounds of measurements of a memory experiment of any length,
// sampled slice after slice from the detector error model, with the true logical outcome, and a data read-out that agrees.
#pragma once

#include <cstdint>
#include <spinel/decode/stream.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/noise/sampler.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

namespace spinel::cli {

/// Sets up the windows of a decoder for one noise.
template <class Window>
Status set_up_window(Window& window, const CircuitNoise& noise) {
  const auto model = io::experiment_model(Window::model_experiment, noise);
  if (!model) return model.status;
  const auto [edges, mechanisms] = *io::graph_edges(*model);
  if constexpr (Window::uses_mechanisms) {
    std::vector<std::byte> scratch(window.scratch_bytes(edges, mechanisms));
    return window.set_up(edges, mechanisms, scratch);
  } else {
    std::vector<std::byte> scratch(window.scratch_bytes(edges));
    return window.set_up(edges, scratch);
  }
}

/// One slice of mechanisms, sampled for 512 rounds at a time: bits [0, 4h) are the detectors of its own and of the next round.
class SliceSampler {
 public:
  SliceSampler(const MemoryExperiment& experiment, const CircuitNoise& noise, std::int64_t round) {
    constexpr int max_distance = MemoryExperiment::max_distance;
    const auto code = make_lattice<max_distance>(experiment);
    std::vector<SliceMechanism> table(ErrorSlice<max_distance>::table_size(experiment.distance));
    const auto slice = ErrorSlice<max_distance>::build(code, experiment, noise, round, table);
    if (!slice) throw std::runtime_error(to_string(slice.status));
    ErrorMechanismsView view;
    view.n_detectors = static_cast<std::size_t>(4 * experiment.n_checks());
    view.n_observables = 1;
    std::vector<double> probabilities;
    std::vector<std::uint32_t> begin{0}, detectors;
    std::vector<std::uint64_t> observables;
    for (const auto& mechanism : *slice) {
      std::uint64_t flips = 0;
      for (int k = 0; k < mechanism.parts.count; ++k) {
        const SymptomCode code_of = mechanism.parts.codes[k];
        if (code_of == observable_code) flips ^= 1;
        else if (code_of != separator_code) detectors.push_back(code_of);
      }
      probabilities.push_back(mechanism.probability);
      begin.push_back(static_cast<std::uint32_t>(detectors.size()));
      observables.push_back(flips);
    }
    view.probabilities = probabilities;
    view.detectors_begin = begin;
    view.detectors = detectors;
    view.observables = observables;
    const auto bytes = Sampler::memory_bytes(view);
    if (!bytes) throw std::runtime_error(to_string(bytes.status));
    memory_.resize(*bytes);
    sampler_ = *Sampler::make(view, memory_);
    stride_ = (sampler_.detector_bytes() + 7) / 8 * 8;
    rows_.resize(stride_ * Sampler::shots_per_batch);
    flips_.resize(Sampler::shots_per_batch);
  }
  SliceSampler(const SliceSampler&) = delete;
  SliceSampler& operator=(const SliceSampler&) = delete;

  /// Slice number `index` of the sequence `seed`, and whether it flips the observable.
  std::pair<const std::uint8_t*, bool> slice(std::uint64_t seed, std::uint64_t index) {
    const std::uint64_t batch = index / Sampler::shots_per_batch;
    if (!sampled_ || batch != batch_ || seed != seed_) {
      sampler_.sample(seed, batch, Sampler::shots_per_batch, rows_.data(), stride_, flips_.data(), 1);
      batch_ = batch;
      seed_ = seed;
      sampled_ = true;
    }
    const std::size_t k = index % Sampler::shots_per_batch;
    return {rows_.data() + k * stride_, (flips_[k] & 1) != 0};
  }

 private:
  std::vector<std::byte> memory_;
  Sampler sampler_;
  std::size_t stride_ = 0;
  std::vector<std::uint8_t> rows_, flips_;
  std::uint64_t batch_ = 0, seed_ = 0;
  bool sampled_ = false;
};

/// Rounds of one experiment after the other, each of as many rounds as `begin` says, as a control system would deliver them.
template <StreamExperiment stream>
class StreamSource {
 public:
  static constexpr int h = stream.n_checks();
  using Round = Bits<static_cast<std::size_t>(2 * h)>;
  using Data = Bits<static_cast<std::size_t>(stream.n_data())>;

  StreamSource(const CircuitNoise& noise, std::uint64_t seed)
      : first_(stream.memory(8), noise, 0),
        second_(stream.memory(8), noise, 1),
        bulk_(stream.memory(8), noise, 4),
        closing_(stream.memory(8), noise, 7),
        seed_(seed) {
    find_read_outs();
  }

  /// The next experiment has `rounds` rounds, at least 3.
  void begin(std::uint64_t rounds) {
    rounds_ = rounds;
    t_ = 0;
    ++experiment_;
    carried_ = Round{};
    measured_ = Round{};
    flipped_ = false;
  }
  /// Measurements of the next round. `events`: its detection events too.
  const Round& next(Round* events = nullptr) {
    Round now = carried_;
    carried_ = Round{};
    SliceSampler& sampler = t_ == 0 ? first_ : t_ == 1 ? second_ : t_ + 1 == rounds_ ? closing_ : bulk_;
    // The bulk's slices run on through all experiments, the others have one an experiment.
    const auto [row, flip] = sampler.slice(seed_, &sampler == &bulk_ ? bulk_index_++ : experiment_);
    for (std::size_t k = 0; k < 4 * static_cast<std::size_t>(h); ++k)
      if ((row[k / 8] >> (k % 8)) & 1) (k < 2 * h ? now : carried_).flip(k % static_cast<std::size_t>(2 * h));
    flipped_ ^= flip;
    if (events != nullptr) *events = now;
    measured_ ^= now;
    ++t_;
    return measured_;
  }
  /// The data read-out after the last round, and the logical outcome that it should have shown.
  Data read_out() const { return read_out_for(measured_, flipped_); }
  /// Any read-out with the parities of these last measurements and this logical outcome.
  Data read_out_for(const Round& measured, bool flipped) const {
    Data data;
    for (int k = 0; k < h; ++k)
      if (measured[static_cast<std::size_t>(k + (stream.basis == Basis::X ? 0 : h))]) data ^= read_out_of_check_[k];
    if (flipped) data ^= logical_;
    return data;
  }
  bool flipped() const { return flipped_; }

 private:
  /// For every check of the memory basis a read-out with its parity alone and an even logical one, and one for the logical.
  void find_read_outs() {
    constexpr const auto& code = lattice<stream.memory(2)>;
    struct Row {
      Data data;
      Bits<static_cast<std::size_t>(h) + 1> parities;
    };
    std::vector<Row> rows(static_cast<std::size_t>(stream.n_data()));
    for (std::size_t q = 0; q < rows.size(); ++q) {
      rows[q].data.set(q);
      for (int k = 0; k < h; ++k)
        for (const auto corner : code.check(stream.basis, k).corner)
          if (corner == static_cast<int>(q)) rows[q].parities.flip(static_cast<std::size_t>(k));
      if (code.in_logical(stream.basis, static_cast<int>(q))) rows[q].parities.flip(static_cast<std::size_t>(h));
    }
    std::size_t done = 0;
    for (std::size_t k = 0; k <= static_cast<std::size_t>(h); ++k) {
      std::size_t pivot = done;
      while (pivot < rows.size() && !rows[pivot].parities[k]) ++pivot;
      if (pivot == rows.size()) throw std::logic_error("checks and logical operator are not independent");
      std::swap(rows[pivot], rows[done]);
      for (std::size_t r = 0; r < rows.size(); ++r)
        if (r != done && rows[r].parities[k]) {
          rows[r].data ^= rows[done].data;
          rows[r].parities ^= rows[done].parities;
        }
      ++done;
    }
    for (std::size_t k = 0; k < static_cast<std::size_t>(h); ++k) read_out_of_check_[k] = rows[k].data;
    logical_ = rows[static_cast<std::size_t>(h)].data;
  }

  SliceSampler first_, second_, bulk_, closing_;
  std::uint64_t seed_;
  std::uint64_t rounds_ = 0, t_ = 0, experiment_ = 0, bulk_index_ = 0;
  Round carried_, measured_;
  bool flipped_ = false;
  Data read_out_of_check_[static_cast<std::size_t>(h)], logical_;
};

}  // namespace spinel::cli
