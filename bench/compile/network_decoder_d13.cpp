// SPDX-License-Identifier: Apache-2.0
// A translation unit of an application: the whole decoder of a d = 13 memory experiment, model 1 before the lattice matcher.
#include <spinel/spinel.hpp>

inline constexpr spinel::MemoryExperiment experiment{.distance = 13, .rounds = 13, .basis = spinel::Basis::X};
using Decoder = spinel::Decoder<experiment, spinel::model_1>;

spinel::Status set_up(Decoder& decoder, const Decoder::Weights& weights, const spinel::CircuitNoise& noise, spinel::Span<std::byte> scratch) {
  return decoder.set_up(weights, noise, scratch);
}

spinel::ObservableFlips decode(Decoder& decoder, const spinel::Detectors<experiment>& events) noexcept { return decoder.decode(events); }
