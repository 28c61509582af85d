// SPDX-License-Identifier: Apache-2.0
// Streams with a pre-decoder whose network is known only when the weights are read: one object between the rounds and the windows of a
// stream, whatever the network, so that the loop of stream_run_impl.hpp is compiled once a distance and basis.
#pragma once

#include <memory>
#include <new>
#include <spinel/decode/stream_predecoder.hpp>
#include <spinel/io/weights_blob.hpp>
#include <string>

#include "stream_run_impl.hpp"

namespace spinel::cli {

/// Takes the place of StreamPredecoder<stream, network> in a StreamDecoder.
template <StreamExperiment stream>
class AnyPredecoder {
 public:
  using Round = Bits<static_cast<std::size_t>(stream.round_bits())>;
  /// What to call with corrections.
  struct Settle {
    void* object;
    void (*call)(void* object, const Round& here, const Round& next, ObservableFlips flips);
    void operator()(const Round& here, const Round& next, ObservableFlips flips) const { call(object, here, next, flips); }
  };
  struct Engine {
    virtual ~Engine() = default;
    virtual void begin() = 0;
    virtual void push(const Round& events, const Settle& settle) = 0;
    virtual void finish(const Settle& settle) = 0;
  };
  static constexpr int lag = model_1.receptive_field() / 2 + 1;  ///< of the widest network; that of others is less

  void set_engine(std::unique_ptr<Engine> engine) { engine_ = std::move(engine); }
  void begin() noexcept {
    if (engine_ != nullptr) engine_->begin();
  }
  template <class F>
  void push(const Round& events, F&& settle) noexcept {
    engine_->push(events, as_settle(settle));
  }
  template <class F>
  void finish(F&& settle) noexcept {
    engine_->finish(as_settle(settle));
  }

 private:
  template <class F>
  static Settle as_settle(F& settle) {
    return {&settle, [](void* object, const Round& here, const Round& next, ObservableFlips flips) { (*static_cast<F*>(object))(here, next, flips); }};
  }
  std::unique_ptr<Engine> engine_;
};

template <StreamExperiment stream, Network network>
class PredecoderOfNetwork final : public AnyPredecoder<stream>::Engine {
  using Base = AnyPredecoder<stream>;

 public:
  template <class Weights>
  explicit PredecoderOfNetwork(const Weights& weights) {
    if (const Status status = predecoder_.set_up(weights); status != Status::ok)
      throw CommandError(std::string("--weights: the engine refused them: ") + to_string(status));
  }
  void begin() override { predecoder_.begin(); }
  void push(const typename Base::Round& events, const typename Base::Settle& settle) override { predecoder_.push(events, settle); }
  void finish(const typename Base::Settle& settle) override { predecoder_.finish(settle); }

 private:
  StreamPredecoder<stream, network> predecoder_;
};

/// Activation ranges from shots of the run's own noise; their seed is fixed, so that a replay finds the same ranges.
template <StreamExperiment stream, Network network>
ActivationRanges<network> calibrated_ranges(const StreamRun& run, const WeightsView<network>& weights) {
  constexpr int shots = 64, rounds = 4 * stream.distance, d = stream.distance;
  using Float = Forward<network, arch::native, d>;
  std::vector<std::byte> memory(Float::memory_bytes(d));
  const auto engine = std::make_unique<Float>();
  const auto layout = std::make_unique<TensorLayout<d>>();
  if (engine->set_up(weights, d, memory) != Status::ok || make_tensor_layout(stream.memory(rounds), false, *layout) != Status::ok)
    throw CommandError("--weights: the engine refused them");
  ActivationRanges<network> ranges;
  StreamSource<stream> source(run.noise, 0x5ca1e5eedull);
  for (int shot = 0; shot < shots; ++shot) {
    source.begin(rounds);
    engine->run(
        rounds,
        [&](int t, float* slice) {
          typename StreamSource<stream>::Round events;
          source.next(&events);
          encode_slice(*layout, t == 0 || t == rounds - 1, events.words, 0, stream.n_checks(), slice);
        },
        [](int, const float*) {},
        [&](int layer, int, const float* values) {
          ranges.observe(layer, values, static_cast<std::size_t>(d * d * network.layers[layer].filters));
        });
  }
  return ranges;
}

inline std::string shape_of(const Network& network) {
  std::string shape = std::to_string(network.input_channels);
  for (int l = 0; l < network.n_layers; ++l) shape.append("-").append(std::to_string(network.layers[l].filters));
  return shape;
}

template <StreamExperiment stream, Network network>
std::unique_ptr<typename AnyPredecoder<stream>::Engine> make_predecoder_of(StreamRun& run) {
  WeightsView<network> weights;
  if (const BlobCheck seen = WeightsView<network>::check(run.weights, weights); !seen)
    throw CommandError(std::string("--weights: ") + (seen.layer < 0 ? std::string() : "layer " + std::to_string(seen.layer) + ": ") + seen.what);
  run.network_shape = shape_of(network);
  if (run.precision == "int8")
    return std::make_unique<PredecoderOfNetwork<stream, in_precision(network, Precision::int8)>>(
        CalibratedWeights<network>{weights, calibrated_ranges<stream, network>(run, weights)});
  return std::make_unique<PredecoderOfNetwork<stream, network>>(weights);
}

template <StreamExperiment stream>
std::unique_ptr<typename AnyPredecoder<stream>::Engine> make_predecoder(StreamRun& run) {
  Network network{};
  if (const BlobCheck seen = network_of_blob(run.weights, network); !seen) throw CommandError(std::string("--weights: ") + seen.what);
  if (network == plain_network(2, 16)) return make_predecoder_of<stream, plain_network(2, 16)>(run);
  if (network == plain_network(2, 16, 3, Activation::relu)) return make_predecoder_of<stream, plain_network(2, 16, 3, Activation::relu)>(run);
  if (network == plain_network(2, 32)) return make_predecoder_of<stream, plain_network(2, 32)>(run);
  if (network == plain_network(2, 32, 3, Activation::relu)) return make_predecoder_of<stream, plain_network(2, 32, 3, Activation::relu)>(run);
  if (network == model_1) return make_predecoder_of<stream, model_1>(run);
  throw CommandError("--weights: the network is " + shape_of(network) +
                     "; streams are compiled for 4-16-16-4 and 4-32-32-4 with GELU or ReLU and for model 1 (4-128-128-128-4 with GELU), all with kernels 3^3");
}

template <StreamExperiment stream>
void run_network_stream(StreamRun& run) {
  using Decoder = StreamDecoder<stream, LatticeWindow<stream>, AnyPredecoder<stream>>;
  const auto decoder = std::make_unique<Decoder>();
  set_up_lattice<stream>(run, *decoder);
  decoder->predecoder().set_engine(make_predecoder<stream>(run));
  run_shots<stream>(run, *decoder);
}

template <int d>
void run_network_stream_at(StreamRun& run) {
  if (run.experiment.basis == Basis::X) run_network_stream<StreamExperiment{d, d, d, Basis::X}>(run);
  else run_network_stream<StreamExperiment{d, d, d, Basis::Z}>(run);
}

}  // namespace spinel::cli
