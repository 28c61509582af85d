// SPDX-License-Identifier: Apache-2.0
// One real-time run: experiments of a memory experiment arrive round by round on a schedule that does not wait for the decoder
// (open loop: a late decoder finds the rounds that came meanwhile), and everything is timed from the scheduled arrival.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <spinel/decode/stream.hpp>
#include <spinel/noise/error_slice.hpp>
#include <string>
#include <vector>

#include "latency.hpp"
#include "theft_watch.hpp"

namespace spinel::cli {

struct StreamRun {
  // == What is asked ==
  MemoryExperiment experiment;  ///< `rounds`: of one shot
  CircuitNoise noise{NoiseParameters{}};
  std::uint64_t shots = 1;
  double cadence_us = 0;  ///< 0: as fast as the decoder goes
  std::uint64_t seed = 1;
  std::string engine = "exact";  ///< or "correlated"
  double sure_nats = 0;          ///< correlated: no second pass where the first is as sure as this; 0: always one
  double deadline_us = 0;        ///< after a window's last round arrived; 0: none
  std::string record;  ///< file that takes every round and answer
  /// Blob of the pre-decoder's weights, empty: none; and what its network computes in, "fp32" or "int8".
  std::span<const std::byte> weights;
  std::string precision = "fp32";

  std::string replay;  ///< a record whose shots are decoded instead of sampled ones
  /// What differs from the record: answers, and where the first one is.
  std::uint64_t recorded_mistakes = 0, differences = 0, first_different_shot = 0, first_different_window = 0;
  bool same_model = true, same_weights = true;  ///< the record's fingerprints of the model and of the weights
  Histogram recorded_service;  ///< latencies in the record

  // == What came of it ==
  Histogram reaction;         ///< arrival of the last round to the answer
  Histogram window;           ///< arrival of a window's last round to its committed flips
  Histogram service;          ///< the same from the moment the decoder took the round: without waiting for its turn
  Histogram shot_latency;     ///< the worst of a shot's windows and its reaction
  /// With a schedule: the same of answers, and of shots with only such answers, that nothing else than the decoder delayed.
  Histogram undisturbed_reaction, undisturbed_window, undisturbed_service, undisturbed_shot_latency;
  Theft theft;
  Histogram network;          ///< with a pre-decoder: a round in which no window was decoded
  std::string network_shape, weights_fingerprint;
  std::vector<Histogram> wrong_shot_latency = std::vector<Histogram>(1);  ///< the same of shots decoded wrongly
  std::uint64_t mistakes = 0, rounds = 0, windows = 0;
  std::uint64_t backlog_max = 0;  ///< rounds that had arrived and were not yet taken
  double busy_seconds = 0;        ///< inside the decoder
  double elapsed_seconds = 0;
  Interference interference;
  long allocations = 0;
  std::size_t decoder_bytes = 0, table_bytes = 0;
  long resident_start_kib = 0, resident_end_kib = 0;
  /// Mean microseconds a round spends in the decoder, for ten successive parts of the run: drift would show. Without a schedule in
  /// processor time, which others do not take.
  std::vector<double> us_per_round_by_part;
  std::uint64_t unexplained_events = 0, unsettled_events = 0;
  std::uint64_t answers_by[4] = {};  ///< windows by Engine
  std::uint64_t late = 0;            ///< windows and reactions past the deadline
};

/// Runs for the distances the program is built for (3, 5, 7, 9, 13); false for others. One function a basis, to share out compiling.
bool run_stream_x(StreamRun& run);
bool run_stream_z(StreamRun& run);
/// The same with correlated matching.
bool run_stream_correlated(StreamRun& run);
/// With the pre-decoder that `run.weights` holds, one function a distance.
void run_stream_network_5(StreamRun& run);
void run_stream_network_7(StreamRun& run);
void run_stream_network_9(StreamRun& run);
/// Whichever of them `run` asks for.
bool run_stream(StreamRun& run);

}  // namespace spinel::cli
