// SPDX-License-Identifier: Apache-2.0
// The error mechanisms of one round of a memory experiment, with the semantics of Stim's detector error models: Paulis of one
// channel with equal symptoms add up (approximate_disjoint_errors), equal symptoms of different channels combine as
// independent events, and each mechanism is written as graphlike parts (decompose_errors) taken from its own channel.
// A slice is stored once and repeats in time; only the first two and the last round differ from the bulk.
// Source: arXiv 2604.12841, Secs. II and III for the circuit; Stim's documentation of detector error models for the semantics.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/noise/decompose.hpp>
#include <spinel/noise/parameters.hpp>

namespace spinel {

/// Circuit noise: the 25 parameters, or the reference's legacy circuit with one depolarizing rate
/// (idle DEPOLARIZE1(p), CNOT DEPOLARIZE2(p), flips 2p/3, a second data idle before the CNOTs of bulk rounds, noiseless read-out).
struct CircuitNoise {
  NoiseParameters parameters{};
  double simple_p = -1;  ///< >= 0 selects the legacy circuit

  constexpr CircuitNoise(const NoiseParameters& p) noexcept : parameters(p) {}
  static constexpr CircuitNoise simple(double p) noexcept {
    CircuitNoise noise{uniform_depolarizing(p)};
    noise.simple_p = p;
    return noise;
  }
  /// For sampling: the Paulis of a channel exclude each other, and instead of as Stim's models have them (added up where their
  /// symptoms agree, else taken as independent, which is off by products of probabilities) they become independent errors with
  /// the channel's own distribution.
  bool exact_channels = false;

  constexpr bool is_simple() const noexcept { return simple_p >= 0; }
};

/// Probabilities of independent X, Y and Z errors whose product is the disjoint channel {p_X, p_Y, p_Z}, from the channel's
/// Pauli eigenvalues: (1 - 2 a)(1 - 2 b) = 1 - 2 (p_a + p_b). False where no such errors exist (then Stim keeps them disjoint).
inline bool independent_paulis(const double (&disjoint)[3], double (&independent)[3]) noexcept {
  constexpr double rounding = 1e-15;
  double eigenvalue[3];
  for (int k = 0; k < 3; ++k) eigenvalue[k] = 1 - 2 * (disjoint[(k + 1) % 3] + disjoint[(k + 2) % 3]);
  for (const double value : eigenvalue)
    if (value <= 0) return false;
  for (int k = 0; k < 3; ++k) {
    const double square = eigenvalue[(k + 1) % 3] * eigenvalue[(k + 2) % 3] / eigenvalue[k];
    independent[k] = 0.5 - 0.5 * spinel::sqrt(square);
    if (independent[k] < -rounding) return false;
    if (independent[k] < 0) independent[k] = 0;
  }
  return true;
}

/// The same for any channel over `n` commuting flips, indexed by bit masks (`disjoint[0]` is not read): errors `independent[s]`
/// such that the set of flips that happen has the channel's distribution: with eigenvalues e_u = 1 - 2 (sum of p_s over odd
/// |u & s|), ln(1 - 2 q_s) = 2^(1-n) sum of +-ln e_u over u, plus where |u & s| is odd. Where that asks for a negative probability,
/// 0 is taken, which is off by products of two probabilities. False for an eigenvalue that is not positive.
template <int n>
bool independent_flips(const double (&disjoint)[1 << n], double (&independent)[1 << n]) noexcept {
  constexpr int size = 1 << n;
  double log_eigenvalue[size] = {};
  const auto odd = [](int u, int s) { return (count_ones(static_cast<std::uint64_t>(u & s)) & 1) != 0; };
  for (int u = 1; u < size; ++u) {
    double flipped = 0;
    for (int s = 1; s < size; ++s) flipped += odd(u, s) ? disjoint[s] : 0;
    if (!(flipped < 0.5)) return false;
    log_eigenvalue[u] = spinel::log(1 - 2 * flipped);
  }
  independent[0] = 0;
  for (int s = 1; s < size; ++s) {
    double sum = 0;
    for (int u = 1; u < size; ++u) sum += odd(u, s) ? log_eigenvalue[u] : -log_eigenvalue[u];
    independent[s] = spinel::max(0.0, 0.5 - 0.5 * spinel::exp(2 * sum / size));
  }
  return true;
}

/// One merged mechanism of a slice: graphlike parts separated by `separator_code`, sorted as Stim sorts them.
struct SliceMechanism {
  double probability = 0;
  Decomposition parts{};
};

/// The mechanisms whose earliest detector lies in one round.
/// The table is an open-addressing hash table in memory of the caller, at most half full; `finish()` compacts and sorts it.
template <int max_distance>
class ErrorSlice {
 public:
  /// Table entries that suffice for every experiment of this distance (measured: at most 31 mechanisms per check; checked at run time).
  static constexpr std::size_t table_size(int distance) noexcept {
    return std::bit_ceil(static_cast<std::size_t>(distance) * static_cast<std::size_t>(distance) * 80);
  }

  /// Builds the slice of round index `t` in [0, rounds) into `table` (a power of two entries).
  /// Errors: bad_argument (experiment, noise), out_of_capacity (table), not_graphlike (never for the circuits of this library).
  static Result<Span<SliceMechanism>> build(const Lattice<max_distance>& lattice, const MemoryExperiment& experiment,
                                                 const CircuitNoise& noise, std::int64_t t,
                                                 Span<SliceMechanism> table) noexcept {
    if (experiment.validate() != Status::ok || t < 0 || t >= experiment.rounds || !std::has_single_bit(table.size()))
      return Status::bad_argument;
    if (const Status status = noise.parameters.validate(); status != Status::ok) return status;
    ErrorSlice slice(lattice, experiment, noise, table);
    // Mechanisms that start here come from faults of this round that fire at once and from faults of the previous round
    // that are only seen now.
    if (t + 1 < experiment.rounds)
      slice.add_round(FaultPropagator<max_distance>(lattice, experiment.basis, t == 0), 0, t == 0);
    else
      slice.add_read_out();
    if (t >= 1) slice.add_round(FaultPropagator<max_distance>(lattice, experiment.basis, t == 1), 1, t == 1);
    if (slice.status_ != Status::ok) return slice.status_;
    return slice.finish();
  }

 private:
  using Propagator = FaultPropagator<max_distance>;

  ErrorSlice(const Lattice<max_distance>& lattice, const MemoryExperiment& of, const CircuitNoise& noise,
             Span<SliceMechanism> table) noexcept
      : lattice_(lattice), experiment_(of), noise_(noise), table_(table) {
    for (auto& entry : table_) {
      entry.probability = 0;
      entry.parts.count = 0;
    }
  }

  /// Adds the faults of one noisy round whose earliest detector has time offset `anchor`.
  void add_round(const Propagator& propagator, int anchor, bool first_round) noexcept {
    anchor_ = anchor;
    const int h = lattice_.n_checks();
    const auto& p = noise_.parameters;
    for (int k = 0; k < h; ++k) {
      flip(propagator, lattice_.ancilla(Basis::X, k), Basis::Z, 0, p.p_prep_X);
      flip(propagator, lattice_.ancilla(Basis::Z, k), Basis::X, 0, p.p_prep_Z);
      flip(propagator, lattice_.ancilla(Basis::X, k), Basis::Z, 4, p.p_meas_X);
      flip(propagator, lattice_.ancilla(Basis::Z, k), Basis::X, 4, p.p_meas_Z);
    }
    for (int q = 0; q < lattice_.n_data(); ++q) {
      if (first_round)
        flip(propagator, q, opposite(experiment_.basis), 0, experiment_.basis == Basis::X ? p.p_prep_X : p.p_prep_Z);
      else if (noise_.is_simple())
        one_qubit(propagator, q, 0, p.p_idle_spam);
      one_qubit(propagator, q, 4, p.p_idle_spam);
    }
    for (int layer = 0; layer < 4; ++layer) {
      bool busy[2 * max_distance * max_distance] = {};
      for (int k = 0; k < h; ++k)
        for (const Basis type : {Basis::X, Basis::Z}) {
          const int data = lattice_.partner(type, k, layer);
          if (data == no_qubit) continue;
          const int ancilla = lattice_.ancilla(type, k);
          busy[data] = busy[ancilla] = true;
          const int control = type == Basis::X ? ancilla : data;
          const int target = type == Basis::X ? data : ancilla;
          two_qubit(propagator, control, target, layer + 1);
        }
      for (int q = 0; q < experiment_.n_qubits(); ++q)
        if (!busy[q]) one_qubit(propagator, q, layer + 1, p.p_idle_cnot);
    }
  }

  /// Flips of the data read-out, which the reference places before the noiseless closing round.
  void add_read_out() noexcept {
    if (noise_.is_simple()) return;
    anchor_ = 0;
    const Propagator propagator(lattice_, experiment_.basis, false);
    const auto& p = noise_.parameters;
    for (int q = 0; q < lattice_.n_data(); ++q)
      flip(propagator, q, opposite(experiment_.basis), 0, experiment_.basis == Basis::X ? p.p_meas_X : p.p_meas_Z);
  }

  void flip(const Propagator& propagator, int qubit, Basis pauli, int time, double probability) noexcept {
    const Symptoms basis[1] = {propagator.fault(qubit, pauli, time)};
    const double probabilities[2] = {0, probability};
    add_channel<1>(basis, probabilities, true);
  }

  void one_qubit(const Propagator& propagator, int qubit, int time, const double (&p)[3]) noexcept {
    // The order of the basis faults only decides which of several equal decompositions is written: it is Stim's.
    const Symptoms z = propagator.fault(qubit, Basis::Z, time);
    const Symptoms x = propagator.fault(qubit, Basis::X, time);
    if (noise_.is_simple()) {
      const Symptoms basis[2] = {z, x};
      const double each = 0.5 - 0.5 * spinel::sqrt(1 - 4 * noise_.simple_p / 3);
      const double probabilities[4] = {0, each, each, each};
      add_channel<2>(basis, probabilities, false);
    } else {
      const Symptoms basis[2] = {x, z};
      const double disjoint[3] = {p[0], p[1], p[2]};
      double independent[3];
      const bool exact = independent_paulis(disjoint, independent);
      const auto& q = exact ? independent : disjoint;
      const double probabilities[4] = {0, q[0], q[2], q[1]};
      add_channel<2>(basis, probabilities, !exact);
    }
  }

  void two_qubit(const Propagator& propagator, int control, int target, int time) noexcept {
    const Basis first_basis = noise_.is_simple() ? Basis::Z : Basis::X;
    const int first_qubit = noise_.is_simple() ? control : target;
    const int second_qubit = noise_.is_simple() ? target : control;
    const Symptoms basis[4] = {
        propagator.fault(first_qubit, first_basis, time), propagator.fault(first_qubit, opposite(first_basis), time),
        propagator.fault(second_qubit, first_basis, time), propagator.fault(second_qubit, opposite(first_basis), time)};
    double probabilities[16] = {};
    if (noise_.is_simple()) {
      const double each = 0.5 - 0.5 * spinel::pow(1 - 16 * noise_.simple_p / 15, 0.125);
      for (int k = 1; k < 16; ++k) probabilities[k] = each;
    } else {
      // Pauli I, X, Y, Z -> bits {X part, Z part}.
      constexpr int bits[4] = {0, 1, 3, 2};
      for (int first = 0; first < 4; ++first)
        for (int second = 0; second < 4; ++second)
          if (first + second > 0)
            probabilities[bits[second] | (bits[first] << 2)] = noise_.parameters.p_cnot[4 * first + second - 1];
    }
    add_channel<4>(basis, probabilities, !noise_.is_simple());
  }

  template <int n_basis>
  void add_channel(const Symptoms (&basis)[n_basis], const double (&probabilities)[1 << n_basis], bool disjoint) noexcept {
    // The bulk of the faults starts in its own round: leave early where the anchor cannot match.
    bool early = false;
    for (const auto& symptoms : basis) early |= !symptoms.empty() && symptoms.codes[0] < 2 * lattice_.n_checks();
    if (anchor_ == 0 && !early) return;
    ChannelDecomposition<n_basis> channel(basis);
    if (channel.status() != Status::ok) {
      status_ = channel.status();
      return;
    }
    double merged[1 << n_basis];
    if (disjoint && noise_.exact_channels && independent_flips<n_basis>(probabilities, merged)) {
      disjoint = false;
    } else {
      for (int k = 0; k < (1 << n_basis); ++k) merged[k] = probabilities[k];
    }
    if (disjoint)
      for (int k = 1; k < (1 << n_basis); ++k)
        if (const int first = channel.first_with_symptoms_of(k); first != k) {
          merged[first] += merged[k];
          merged[k] = 0;
        }
    for (int k = 1; k < (1 << n_basis); ++k)
      if (merged[k] > 0 && !channel.parts(k).empty()) add(channel.parts(k), merged[k]);
  }

  void add(Decomposition parts, double probability) noexcept {
    const auto slice_size = static_cast<SymptomCode>(2 * lattice_.n_checks());
    bool starts_here = false;
    for (int k = 0; k < parts.count; ++k) starts_here |= parts.codes[k] < slice_size;
    if (starts_here != (anchor_ == 0)) return;
    if (anchor_ == 1)
      for (int k = 0; k < parts.count; ++k)
        if (parts.codes[k] < observable_code) parts.codes[k] = static_cast<SymptomCode>(parts.codes[k] - slice_size);
    std::size_t at = parts.hash() & (table_.size() - 1);
    while (table_[at].parts.count != 0 && !(table_[at].parts == parts)) at = (at + 1) & (table_.size() - 1);
    auto& entry = table_[at];
    if (entry.parts.count == 0) {
      if (2 * ++used_ > table_.size()) {
        status_ = Status::out_of_capacity;
        --used_;
        return;
      }
      entry.parts = parts;
      entry.probability = probability;
    } else {
      entry.probability = entry.probability * (1 - probability) + probability * (1 - entry.probability);
    }
  }

  Span<SliceMechanism> finish() noexcept {
    std::size_t n = 0;
    for (auto& entry : table_)
      if (entry.parts.count != 0) table_[n++] = entry;
    const auto mechanisms = table_.first(n);
    spinel::sort(mechanisms.begin(), mechanisms.end(),
                 [](const SliceMechanism& a, const SliceMechanism& b) { return a.parts < b.parts; });
    return mechanisms;
  }

  const Lattice<max_distance>& lattice_;
  const MemoryExperiment& experiment_;
  const CircuitNoise& noise_;
  Span<SliceMechanism> table_;
  std::size_t used_ = 0;
  int anchor_ = 0;
  Status status_ = Status::ok;
};

}  // namespace spinel
