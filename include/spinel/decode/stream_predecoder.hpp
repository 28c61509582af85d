// SPDX-License-Identifier: Apache-2.0
// The pre-decoder of a stream: a round's detection events in, the corrections of an earlier round out. Residual and frame are those
// that Predecoder finds over the whole history, bit for bit; the memory is the object, whatever the number of rounds.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/encode.hpp>
#include <spinel/decode/residual.hpp>
#include <spinel/decode/stream_window.hpp>
#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

namespace spinel {

/// Runs `network` between the detection events and the windows of StreamDecoder<stream, Window, StreamPredecoder<stream, network>>.
/// `network` may ask for bf16 or int8 arithmetic (`in_precision`). A round is corrected `lag` rounds after it came: half the receptive
/// field, and one because the network is shown a history's last round otherwise than those before it.
template <StreamExperiment stream, Network network, Arch A = arch::native>
class StreamPredecoder {
  static_assert(stream.distance <= detail::largest_distance, "spinel: the pre-decoder serves distances up to 21");
  static_assert(network.receptive_field() >= 3, "spinel: the network of a stream sees at least one neighbouring round");
  using Engine = Forward<in_precision(network, Precision::fp32), A, stream.distance, network.precision>;
  static constexpr std::int64_t h = stream.n_checks();

 public:
  static constexpr int lag = network.receptive_field() / 2 + 1;
  /// What `set_up` takes weights of: their file says nothing about the arithmetic.
  static constexpr Network network_of_weights = in_precision(network, Precision::fp32);
  /// Nothing is corrected before this many rounds have come, and a history with fewer is computed at its end.
  static constexpr int fewest_rounds = Engine::fewest_unknown_rounds;
  using Weights = typename Engine::Weights;
  /// Bits of one round: X checks, then Z checks.
  using Round = Bits<static_cast<std::size_t>(2 * h)>;

  StreamPredecoder() = default;
  StreamPredecoder(const StreamPredecoder&) = delete;  // the engine points into memory_
  StreamPredecoder& operator=(const StreamPredecoder&) = delete;

  /// As Predecoder::set_up; comes before the first round. Without it rounds pass as they are.
  Status set_up(const Weights& weights, bool dual = false) noexcept {
    is_set_up_ = false;
    if (const Status status = make_tensor_layout(stream.memory(Engine::unknown_rounds), dual, layout_); status != Status::ok) return status;
    if (const Status status = engine_.set_up(weights, stream.distance, memory_); status != Status::ok) return status;
    engine_.set_background(Engine::unknown_rounds, [&](int t, float* slice) { encode_empty_round(layout_, t, slice); });
    // Of a single round hardly any layer has few enough differences to gain by them, unless its channels are many.
    engine_.allow_delta(network.n_layers > 2 && network.out_channels(0) >= 64);
    is_set_up_ = true;
    begin();
    return Status::ok;
  }

  /// A new history.
  void begin() noexcept {
    rounds_ = n_held_ = 0;
    corrects_first_ = true;
    engine_.begin();
  }
  /// The next round's detection events. `settle(here, next, flips)` is called for every round that is corrected by now, ascending, with
  /// what to toggle in it and, if there is one, in the round after it, and the flips of the observable.
  template <class Settle>
  void push(const Round& events, Settle&& settle) noexcept {
    if (!is_set_up_) return settle(Round{}, Round{}, ObservableFlips{0});
    if (rounds_ > 0) {
      encode(last_, rounds_ == 1);
      engine_.push(slice_, [&](int, const float* logits) {
        const Correction found = correction(logits, false);
        if (rounds_ < fewest_rounds) held_[n_held_++] = found;
        else settle(found.here, found.next, found.flips);
      });
    }
    last_ = events;
    if (rounds_ == fewest_rounds) return;
    first_[rounds_++] = events;
    if (rounds_ == fewest_rounds)
      for (int k = 0; k < n_held_; ++k) settle(held_[k].here, held_[k].next, held_[k].flips);
  }
  /// Says that the last round pushed was a history's last: `settle` gets all that were waiting.
  template <class Settle>
  void finish(Settle&& settle) noexcept {
    if (!is_set_up_ || rounds_ == 0) return;
    int left = rounds_ < fewest_rounds ? rounds_ : lag;
    const auto take = [&](int, const float* logits) {
      const Correction found = correction(logits, --left == 0);
      settle(found.here, found.next, found.flips);
    };
    if (rounds_ < fewest_rounds) {
      corrects_first_ = true;
      engine_.run(
          rounds_,
          [&](int t, float* slice) { encode_slice(layout_, t == 0 || t == rounds_ - 1, first_[t].words, 0, h, slice); }, take);
    } else {
      encode(last_, true);
      engine_.push_last(slice_, take);
    }
  }

  Engine& engine() noexcept { return engine_; }

 private:
  struct Correction {
    Round here{}, next{};
    ObservableFlips flips = 0;
  };

  void encode(const Round& events, bool at_end) noexcept { encode_slice(layout_, at_end, events.words, 0, h, slice_); }
  /// The first round has no detectors of the type that is not the memory basis. In the last one they are not shown: its residual has
  /// what the network says of them only.
  Correction correction(const float* logits, bool is_last) noexcept {
    constexpr std::int64_t hidden = stream.basis == Basis::X ? h : 0;
    Correction found;
    found.flips = for_each_correction(layout_, logits, [&](Basis type, int check, int later) {
      const auto bit = static_cast<std::size_t>((type == Basis::X ? 0 : h) + check);
      (later == 0 ? found.here : found.next).flip(bit);
    });
    for (std::int64_t k = hidden; k < hidden + h && (corrects_first_ || is_last); ++k) {
      const auto bit = static_cast<std::size_t>(k);
      if (corrects_first_) found.here.assign(bit, false);
      if (is_last) found.here.assign(bit, found.here[bit] != last_[bit]);
    }
    corrects_first_ = false;
    return found;
  }

  // == Permanent: fixed at set-up ==
  TensorLayout<stream.distance> layout_{};
  bool is_set_up_ = false;
  // == Per history ==
  Engine engine_{};
  int rounds_ = 0;  ///< that have come, up to fewest_rounds
  int n_held_ = 0;
  bool corrects_first_ = true;
  Round last_;  ///< came last, and is not yet in the network
  Round first_[fewest_rounds];
  Correction held_[fewest_rounds];
  alignas(64) float slice_[static_cast<std::size_t>(stream.n_data() * tensor_channels)];
  alignas(Arena::alignment) std::byte memory_[Engine::memory_bytes(stream.distance)];
};

}  // namespace spinel
