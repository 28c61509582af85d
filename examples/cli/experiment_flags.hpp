// SPDX-License-Identifier: Apache-2.0
// The flags that name a memory experiment and its noise, shared by every command that takes one.
#pragma once

#include "commands.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <spinel/code/experiment.hpp>
#include <spinel/io/circuit.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/noise/error_slice.hpp>
#include <string>
#include <utility>

namespace spinel::cli {

struct ExperimentFlags {
  int distance = 0;
  int rounds = 0;
  std::string basis = "X";
  std::string orientation = "O1";
  double p = -1;
  std::string noise_file;
  std::string noise_name = "uniform";

  void add_to(CLI::App& command, bool required) {
    auto* d = command.add_option("--distance", distance, "code distance, odd, 3 to 31");
    auto* t = command.add_option("--rounds", rounds, "rounds, at least 2, preparation and closing included");
    if (required) {
      d->required();
      t->required();
    }
    command.add_option("--basis", basis, "memory basis")->check(CLI::IsMember({"X", "Z"}))->capture_default_str();
    command.add_option("--orientation", orientation, "lattice orientation, O1 to O4 or XV, XH, ZV, ZH")
        ->capture_default_str();
    command.add_option("--p", p, "physical error rate of the named noise");
    command.add_option("--noise", noise_file, "JSON file with the 25 noise parameters (instead of --p)");
    command
        .add_option("--noise-model", noise_name,
                    "what --p means: uniform (depolarizing), si1000, or simple (the reference's legacy circuit)")
        ->check(CLI::IsMember({"uniform", "si1000", "simple"}))
        ->capture_default_str();
  }

  bool given() const { return distance != 0; }

  MemoryExperiment experiment() const {
    MemoryExperiment e;
    e.distance = distance;
    e.rounds = rounds;
    e.basis = basis == "X" ? Basis::X : Basis::Z;
    if (orientation == "O1" || orientation == "XV") e.orientation = Orientation::O1;
    else if (orientation == "O2" || orientation == "XH") e.orientation = Orientation::O2;
    else if (orientation == "O3" || orientation == "ZV") e.orientation = Orientation::O3;
    else if (orientation == "O4" || orientation == "ZH") e.orientation = Orientation::O4;
    else throw CommandError("--orientation: got '" + orientation + "', expected O1 to O4 or XV, XH, ZV, ZH");
    if (distance < 3 || distance > MemoryExperiment::max_distance || distance % 2 == 0)
      throw CommandError("--distance: got " + std::to_string(distance) + ", expected an odd number from 3 to 31");
    if (rounds < 2) throw CommandError("--rounds: got " + std::to_string(rounds) + ", expected at least 2");
    return e;
  }

  /// The noise with its probabilities rounded to the ten decimals that circuits carry.
  CircuitNoise noise() const {
    if (noise_file.empty() == (p < 0)) throw CommandError("give either --p or --noise FILE.json");
    CircuitNoise chosen{NoiseParameters{}};
    if (!noise_file.empty()) {
      chosen = CircuitNoise(read_noise(noise_file));
    } else {
      if (!(p >= 0 && p <= 1)) throw CommandError("--p: got " + std::to_string(p) + ", expected a number in [0, 1]");
      chosen = noise_name == "simple"   ? CircuitNoise::simple(p)
               : noise_name == "si1000" ? CircuitNoise(si1000(p))
                                        : CircuitNoise(uniform_depolarizing(p));
    }
    if (chosen.parameters.validate() != Status::ok)
      throw CommandError("noise: every probability must lie in [0, 1] and every channel sum to at most 1");
    return io::rounded_as_printed(chosen);
  }

  /// Reads {"p_prep_X": ..., ...}: all 25 names, or the older 22 with p_idle_X/Y/Z for both idle channels.
  static NoiseParameters read_noise(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw CommandError("--noise " + path + ": cannot open the file");
    nlohmann::json json;
    try {
      json = nlohmann::json::parse(file);
    } catch (const nlohmann::json::exception& error) {
      throw CommandError("--noise " + path + ": " + error.what());
    }
    if (!json.is_object()) throw CommandError("--noise " + path + ": expected a JSON object of named probabilities");
    NoiseParameters noise;
    std::size_t used = 0;
    const bool old_names = json.contains("p_idle_X");
    if (old_names) used = 3;
    for (int k = 0; k < NoiseParameters::n_parameters; ++k) {
      std::string name = NoiseParameters::names[k];
      if (old_names && name.starts_with("p_idle_")) name = "p_idle_" + name.substr(name.size() - 1);
      else ++used;
      if (!json.contains(name)) throw CommandError("--noise " + path + ": missing \"" + name + "\"");
      if (!json[name].is_number()) throw CommandError("--noise " + path + ": \"" + name + "\" is not a number");
      noise[k] = json[name].get<double>();
      if (!(noise[k] >= 0 && noise[k] <= 1))
        throw CommandError("--noise " + path + ": \"" + name + "\" must lie in [0, 1]");
    }
    if (json.size() != used)
      for (const auto& [name, value] : json.items()) {
        bool known = old_names && (name == "p_idle_X" || name == "p_idle_Y" || name == "p_idle_Z");
        for (const auto* expected : NoiseParameters::names)
          known |= name == expected && !(old_names && name.starts_with("p_idle_"));
        if (!known) throw CommandError("--noise " + path + ": unknown parameter \"" + name + "\"");
      }
    return noise;
  }
};

/// The experiment's detector error model.
inline io::DetectorErrorModel experiment_model(const MemoryExperiment& experiment, const CircuitNoise& noise) {
  auto model = io::experiment_model(experiment, noise);
  if (!model) throw CommandError(std::string("cannot build the detector error model: ") + to_string(model.status));
  return std::move(model.value);
}

}  // namespace spinel::cli
