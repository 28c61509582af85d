// SPDX-License-Identifier: Apache-2.0
// Prints a memory experiment as a circuit in Stim's language, line for line as the reference emits it (probabilities with ten
// decimals, one REPEAT block for the bulk). Source: the published circuits of arXiv 2604.12841.
#pragma once


#include <cstdio>
#include <cstdlib>
#include <utility>

#include <spinel/code/lattice.hpp>
#include <spinel/noise/error_slice.hpp>
#include <string>
#include <vector>

namespace spinel::io {

namespace detail {

inline std::string ten_decimals(double p) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.10f", p);
  return buffer;
}

/// Writes one circuit; a class only to share the lattice and the indentation among the parts of a round.
class CircuitPrinter {
 public:
  CircuitPrinter(const MemoryExperiment& experiment, const CircuitNoise& noise)
      : experiment_(experiment),
        noise_(noise),
        lattice_(make_lattice<MemoryExperiment::max_distance>(experiment)) {
    for (int q = 0; q < lattice_.n_data(); ++q) target(data_, q);
    for (int k = 0; k < lattice_.n_checks(); ++k) {
      target(x_ancillas_, lattice_.ancilla(Basis::X, k));
      target(z_ancillas_, lattice_.ancilla(Basis::Z, k));
    }
  }

  std::string print() {
    const int h = lattice_.n_checks();
    const auto& p = noise_.parameters;
    const bool x_basis = experiment_.basis == Basis::X;
    line(x_basis ? "RX" : "RZ", data_);
    basis_flip(experiment_.basis, x_basis ? p.p_prep_X : p.p_prep_Z, data_);
    line("RX", x_ancillas_);
    basis_flip(Basis::X, p.p_prep_X, x_ancillas_);
    line("RZ", z_ancillas_);
    basis_flip(Basis::Z, p.p_prep_Z, z_ancillas_);
    noisy_round();
    for (int k = 0; k < h; ++k) detector({(x_basis ? -2 * h : -h) + k});
    if (experiment_.rounds > 2) {
      text_ += "REPEAT " + std::to_string(experiment_.rounds - 2) + " {\n";
      indent_ = "    ";
      basis_flip(Basis::X, p.p_prep_X, x_ancillas_);
      basis_flip(Basis::Z, p.p_prep_Z, z_ancillas_);
      if (noise_.is_simple()) idle(data_, p.p_idle_cnot);
      noisy_round();
      round_detectors();
      indent_.clear();
      text_ += "}\n";
    }
    if (!noise_.is_simple()) basis_flip(experiment_.basis, x_basis ? p.p_meas_X : p.p_meas_Z, data_);
    line("TICK", "");
    cnot_layers(false);
    line("TICK", "");
    line("MRX", x_ancillas_);
    line("MRZ", z_ancillas_);
    round_detectors();
    line(x_basis ? "MX" : "MZ", data_);
    const int n = lattice_.n_data();
    for (int k = 0; k < h; ++k) {
      std::string records;
      for (int q = 0; q < n; ++q)
        for (const auto corner : lattice_.check(experiment_.basis, k).corner)
          if (corner == q) record(records, q - n);
      record(records, (x_basis ? -2 * h : -h) + k - n);
      line("DETECTOR", records);
    }
    std::string records;
    for (int k = 0; k < experiment_.distance; ++k) record(records, lattice_.logical_qubit(experiment_.basis, k) - n);
    line("OBSERVABLE_INCLUDE(0)", records);
    return std::move(text_);
  }

 private:
  static void target(std::string& list, int qubit) { list += std::to_string(qubit) + " "; }
  static void record(std::string& list, int index) { list += "rec[" + std::to_string(index) + "] "; }
  void line(const std::string& instruction, const std::string& targets) {
    text_ += indent_ + instruction;
    if (!targets.empty()) text_ += " " + targets;
    text_ += "\n";
  }
  void detector(std::initializer_list<int> indices) {
    std::string records;
    for (const int index : indices) record(records, index);
    line("DETECTOR", records);
  }
  void round_detectors() {
    const int h = lattice_.n_checks();
    for (int k = 0; k < 2 * h; ++k) detector({k - 2 * h, k - 4 * h});
  }
  /// A channel whose every probability is zero is left out.
  void channel(const char* name, const double* p, int n, const std::string& targets) {
    std::string arguments;
    bool zero = true;
    for (int k = 0; k < n; ++k) {
      zero &= p[k] == 0;
      arguments += (k > 0 ? ", " : "") + ten_decimals(p[k]);
    }
    if (!zero && !targets.empty()) line(std::string(name) + "(" + arguments + ")", targets);
  }
  void basis_flip(Basis basis, double p, const std::string& targets) {
    channel(basis == Basis::X ? "Z_ERROR" : "X_ERROR", &p, 1, targets);
  }
  void idle(const std::string& targets, const double (&p)[3]) {
    if (noise_.is_simple())
      channel("DEPOLARIZE1", &noise_.simple_p, 1, targets);
    else
      channel("PAULI_CHANNEL_1", p, 3, targets);
  }
  void cnot_layers(bool noisy) {
    for (int layer = 0; layer < 4; ++layer) {
      std::string pairs;
      std::vector<bool> busy(static_cast<std::size_t>(experiment_.n_qubits()));
      for (int k = 0; k < lattice_.n_checks(); ++k)
        for (const Basis type : {Basis::X, Basis::Z}) {
          const int data = lattice_.partner(type, k, layer);
          if (data == no_qubit) continue;
          const int ancilla = lattice_.ancilla(type, k);
          target(pairs, type == Basis::X ? ancilla : data);
          target(pairs, type == Basis::X ? data : ancilla);
          busy[static_cast<std::size_t>(data)] = busy[static_cast<std::size_t>(ancilla)] = true;
        }
      line("CX", pairs);
      if (noisy) {
        if (noise_.is_simple())
          channel("DEPOLARIZE2", &noise_.simple_p, 1, pairs);
        else
          channel("PAULI_CHANNEL_2", noise_.parameters.p_cnot, 15, pairs);
        std::string idlers;
        for (int q = 0; q < experiment_.n_qubits(); ++q)
          if (!busy[static_cast<std::size_t>(q)]) target(idlers, q);
        idle(idlers, noise_.parameters.p_idle_cnot);
      }
      line("TICK", "");
    }
  }
  void noisy_round() {
    const auto& p = noise_.parameters;
    line("TICK", "");
    cnot_layers(true);
    line("TICK", "");
    basis_flip(Basis::X, p.p_meas_X, x_ancillas_);
    line("MRX", x_ancillas_);
    basis_flip(Basis::Z, p.p_meas_Z, z_ancillas_);
    line("MRZ", z_ancillas_);
    idle(data_, p.p_idle_spam);
  }

  MemoryExperiment experiment_;
  CircuitNoise noise_;
  Lattice<MemoryExperiment::max_distance> lattice_;
  std::string data_, x_ancillas_, z_ancillas_;
  std::string indent_;
  std::string text_;
};

}  // namespace detail

/// The circuit of a valid experiment in Stim's language.
inline std::string circuit_text(const MemoryExperiment& experiment, const CircuitNoise& noise) {
  return detail::CircuitPrinter(experiment, noise).print();
}

/// The noise as a circuit text carries it: every probability rounded to the ten decimals that are printed.
inline CircuitNoise rounded_as_printed(CircuitNoise noise) {
  for (int k = 0; k < NoiseParameters::n_parameters; ++k)
    noise.parameters[k] = std::strtod(detail::ten_decimals(noise.parameters[k]).c_str(), nullptr);
  if (noise.is_simple()) noise.simple_p = std::strtod(detail::ten_decimals(noise.simple_p).c_str(), nullptr);
  return noise;
}

}  // namespace spinel::io
