// SPDX-License-Identifier: Apache-2.0
// A network over any number of rounds in constant memory: rounds enter in passes of at most `pass_rounds`, every layer goes as
// far as its input allows and keeps the last kernel - 1 rounds for the next pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/nn/delta.hpp>
#include <spinel/nn/packed_network.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <spinel/nn/weights.hpp>
#include <type_traits>
#include <utility>

namespace spinel {

/// Runs `network` on instruction set A. `fixed_distance` is the width and height of the volume at compile time, or 0 for any odd
/// distance from 3 to 21 chosen at set-up. All memory is handed in once. Whatever the precision, the first layer multiplies in
/// float32 (it has four input channels) and logits are float32. The int8 engine takes inputs that are multiples of 1/2 in [-1, 1].
template <Network network, Arch A, int fixed_distance = 0, Precision precision = Precision::fp32>
class Forward {
  using Packed = detail::PackedNetwork<network, A, fixed_distance, precision>;
  using Stored = typename Packed::Stored;
  using First = typename Packed::First;
  using Last = typename Packed::Last;
  template <int layer, int d>
  using Hidden = typename Packed::template Hidden<layer, d>;
  template <int layer, int d>
  using WinogradOf = typename Packed::template WinogradOf<layer, d>;
  template <int layer>
  using Delta = typename Packed::template Delta<layer>;
  static constexpr int n_layers = network.n_layers;
  static constexpr int n_hidden = n_layers - 1;
  static constexpr bool is_int8 = precision == Precision::int8;
  static constexpr auto layer_count = static_cast<std::size_t>(n_layers);
  static constexpr int background_layers = is_int8 ? n_hidden : 1;
  static constexpr int widest_channels = [] {
    int widest = 1;
    for (int l = 1; l < n_hidden; ++l) widest = spinel::max(spinel::max(widest, network.in_channels(l)), network.out_channels(l));
    return widest;
  }();

 public:
  static constexpr int pass_rounds = 24;  // a multiple of both Winograd tiles' edges
  static constexpr int input_channels = network.input_channels;
  static constexpr int output_channels = network.output_channels();
  /// An int8 layer is computed from its differences to the background while they cost less than this share of all its input.
  static constexpr float delta_share = 0.8f;
  using Weights = typename Packed::Weights;

  /// Bytes that `set_up` needs for this distance, whatever the number of rounds.
  SPINEL_COLD static constexpr std::size_t memory_bytes(int distance) noexcept {
    Forward counting;
    counting.packed_.set_distance(distance);
    detail::CountingArena arena;
    counting.take_memory(arena);
    return arena.used + Arena::alignment;
  }

  /// Packs the weights into `memory`. Fails with bad_argument for a distance that this engine does not serve or for int8 without
  /// calibration, and with out_of_capacity when `memory` is smaller than `memory_bytes(distance)`.
  SPINEL_COLD Status set_up(const Weights& weights, int distance, Span<std::byte> memory) noexcept {
    if (distance < detail::smallest_distance || distance > detail::largest_distance || distance % 2 == 0) return Status::bad_argument;
    if (fixed_distance != 0 && distance != fixed_distance) return Status::bad_argument;
    if (memory.size() < memory_bytes(distance)) return Status::out_of_capacity;
    if constexpr (is_int8)
      if (weights.ranges.observed == 0) return Status::bad_argument;
    packed_.set_distance(distance);
    background_rounds_ = 0;
    Arena arena{memory};
    take_memory(arena);
    packed_.pack(weights);
    return Status::ok;
  }

  /// What the input looks like without any event, for volumes of `rounds` rounds: `input` as for `run`, and the same for all rounds
  /// but the first and the last. Later runs over as many rounds then compute only what differs: the first layer always, int8
  /// layers where that is less work. int8 results are the same bits with and without.
  template <class Input>
  SPINEL_COLD void set_background(int rounds, Input&& input) noexcept {
    background_rounds_ = 0;
    for (int kind = 0; kind < input_background_.count(rounds); ++kind)
      input(input_background_.example(kind, rounds), input_background_.memory.data() + static_cast<std::size_t>(kind) * input_background_.round_size);
    // A short volume has all kinds of rounds that the whole one has.
    const auto& widest = output_background_[background_layers - 1];
    const int short_rounds = widest.count(rounds);
    reset();
    for (int t = 0; t < short_rounds; ++t) first_input_.append(input_background_.at(widest.example(t, rounds), rounds), nullptr, distance());
    const auto each_kind = [&](const auto& background, auto&& visit) {
      for (int kind = 0; kind < background.count(rounds); ++kind)
        visit(background.example(kind, short_rounds), background.memory.data() + static_cast<std::size_t>(kind) * background.round_size);
    };
    each_kind(first_sums_, [&](int t, float* to) {
      First::template rounds<detail::StoreSums<A>, float>(first_input_, packed_.first_weights(), nullptr, nullptr, {}, to, first_work_.data(), t, t + 1, short_rounds, distance());
    });
    each_kind(output_background_[0], [&](int t, Stored* to) {
      First::template rounds<decltype(packed_.template epilogue<0>()), Stored>(first_input_, packed_.first_weights(), nullptr, nullptr, packed_.template epilogue<0>(), to, first_work_.data(), t, t + 1, short_rounds, distance());
    });
    if constexpr (is_int8 && n_hidden > 1) {
      First::template rounds<decltype(packed_.template epilogue<0>()), Stored>(first_input_, packed_.first_weights(), nullptr, nullptr, packed_.template epilogue<0>(), buffers_[1].at(0), first_work_.data(), 0, short_rounds, short_rounds,
                    distance());
      buffers_[1].end = short_rounds;
      Packed::for_each_hidden([&]<int layer>() {
        if constexpr (layer > 0) {
          const auto& in = buffers_[layer];
          Stored* out = last_.data();
          if constexpr (layer + 1 < n_hidden) out = buffers_[layer + 1].at(0), buffers_[layer + 1].end = short_rounds;
          dense<layer>(in, out, 0, short_rounds, short_rounds);
          each_kind(output_background_[layer], [&](int t, Stored* to) {
            spinel::copy_n(out + static_cast<std::size_t>(t) * output_background_[layer].round_size, output_background_[layer].round_size, to);
          });
          each_kind(delta_sums_[layer], [&](int t, std::int32_t* to) { background_sums<layer>(in, t, short_rounds, to); });
        }
      });
    }
    background_rounds_ = rounds;
  }
  /// Whether int8 layers may be computed from differences (they may, at first).
  void allow_delta(bool allowed) noexcept { delta_allowed_ = allowed; }
  /// How many passes of layers were computed from differences in the last run.
  int delta_passes() const noexcept { return delta_passes_; }

  /// One volume of `rounds` >= 1 rounds. `input(t, slice)` fills slice [row][column][input channel] of round t, ascending;
  /// `output(t, slice)` gets [row][column][output channel]. In fp32, `watch(layer, t, slice)` sees every hidden layer's activations.
  template <class Input, class Output, class Watch>
  void run(int rounds, Input&& input, Output&& output, Watch&& watch) noexcept {
    begin(rounds);
    for (int t0 = 0; t0 < rounds; t0 += pass_rounds) {
      const int to = spinel::min(rounds, t0 + pass_rounds);
      first_input_.make_room(done_[0] - network.layers[0].kernel / 2, to - first_input_.differences.end);
      for (int t; (t = first_input_.differences.end) < to;) {
        input(t, input_slice_.data());
        first_input_.append(input_slice_.data(), has_background_ ? input_background_.at(t, rounds) : nullptr, distance());
      }
      advance(output, watch);
    }
  }
  template <class Input, class Output>
  void run(int rounds, Input&& input, Output&& output) noexcept {
    run(rounds, input, output, [](int, int, const float*) {});
  }

  // == A volume round by round: begin, push ..., and the last one by push_last where their number was not known ==
  static constexpr int unknown_rounds = 1 << 30;
  /// Of a volume of unknown length `set_background(unknown_rounds, ...)` knows both ends; they must not overlap: a volume with fewer
  /// rounds than this may be pushed but not closed with that background.
  static constexpr int fewest_unknown_rounds = detail::BackgroundRounds<float>::stored(network.receptive_field() / 2 + 1);
  void begin(int rounds = unknown_rounds) noexcept {
    reset();
    rounds_ = rounds;
    has_background_ = rounds == background_rounds_;
    delta_passes_ = 0;
    for (int& done : done_) done = 0;
  }
  /// The next round's `slice` [row][column][input channel]. `output(t, slice)` gets every round that is known by now: half the
  /// receptive field behind, all that are left with the last round of a known number. Constant memory, whatever the number; where it
  /// is not known, t begins anew at a small number after 2^16 rounds.
  template <class Output>
  void push(const float* slice, Output&& output) noexcept {
    if (first_input_.differences.end >= rounds_) return;
    if (rounds_ == unknown_rounds && first_input_.differences.end >= renumber_at) renumber();
    first_input_.make_room(done_[0] - network.layers[0].kernel / 2, 1);
    first_input_.append(slice, has_background_ ? input_background_.at(first_input_.differences.end, rounds_) : nullptr, distance());
    advance(output, [](int, int, const float*) {});
  }
  /// The last round of an unknown number: `output` gets it and those that were waiting for it.
  template <class Output>
  void push_last(const float* slice, Output&& output) noexcept {
    rounds_ = first_input_.differences.end + 1;
    push(slice, output);
  }

  constexpr int distance() const noexcept { return packed_.distance(); }


 private:
  static constexpr int renumber_at = 1 << 16;
  /// So that the numbers of rounds never run out: far from both ends all rounds are alike.
  SPINEL_NOINLINE void renumber() noexcept {
    constexpr int by = renumber_at - 2 * fewest_unknown_rounds;
    first_input_.renumber(by);
    for (auto& buffer : buffers_) buffer.renumber(by);
    shares_.renumber(by);
    for (int& done : done_) done -= by;
  }
  void reset() noexcept {
    first_input_.reset();
    for (auto& buffer : buffers_) buffer.reset();
    shares_.reset();
  }

  /// Takes every layer as far as its input allows.
  template <class Output, class Watch>
  void advance(Output&& output, Watch&& watch) noexcept {
    const int rounds = rounds_;
    const auto reachable = [&](int layer, int available) {
      return available == rounds ? rounds : spinel::max(done_[static_cast<std::size_t>(layer)], available - network.layers[layer].kernel / 2);
    };
    Packed::for_each_hidden([&]<int layer>() {
      const int begin = done_[layer], end = reachable(layer, layer == 0 ? first_input_.differences.end : buffers_[layer].end);
      if (begin == end) return;
      Stored* out = nullptr;
      if constexpr (layer + 1 < n_hidden) {
        auto& next = buffers_[layer + 1];
        next.make_room(done_[layer + 1] - network.layers[layer + 1].kernel / 2, end - begin);
        out = next.at(next.end);
      } else {
        out = last_.data();
      }
      if constexpr (layer == 0)
        First::template rounds<decltype(packed_.template epilogue<0>()), Stored>(first_input_, packed_.first_weights(), has_background_ ? &first_sums_ : nullptr,
                                                                has_background_ ? &output_background_[0] : nullptr, packed_.template epilogue<0>(), out, first_work_.data(),
                                                                begin, end, rounds, distance());
      else if (!has_background_ || !from_differences<layer>(out, begin, end, rounds))
        dense<layer>(buffers_[layer], out, begin, end, rounds);
      if constexpr (precision == Precision::fp32) {
        const std::size_t round_size = packed_.sites() * static_cast<std::size_t>(network.out_channels(layer));
        for (int t = begin; t < end; ++t) watch(layer, t, static_cast<const float*>(out + static_cast<std::size_t>(t - begin) * round_size));
      }
      if constexpr (layer + 1 < n_hidden) {
        buffers_[layer + 1].end = end;
      } else {
        constexpr int l = n_layers - 1;
        shares_.make_room(done_[l] - network.layers[l].kernel / 2, end - begin);
        // Round by round: a product stays in the cache until it is summed.
        for (const Stored* round = out; shares_.end < end; ++shares_.end, round += packed_.sites() * static_cast<std::size_t>(network.in_channels(l))) {
          packed_.dispatch([&](auto d) { Last::template shares<decltype(d)::value>(round, packed_.weights(l), packed_.share_epilogue(), product_.data(), shares_.at(shares_.end)); });
        }
      }
      done_[layer] = end;
    });
    constexpr int l = n_layers - 1;
    for (const int end = reachable(l, shares_.end); done_[l] < end; ++done_[l]) {
      Last::sum_shares([&](int t) { return static_cast<const float*>(shares_.at(t)); }, packed_.bias(l), slice_.data(), done_[l], rounds, distance());
      output(done_[l], static_cast<const float*>(slice_.data()));
    }
  }

  /// Every product of a hidden layer but the first, output rounds [begin, end).
  template <int layer>
  SPINEL_NOINLINE void dense(const detail::RoundBuffer<Stored>& in, Stored* out, int begin, int end, int rounds) noexcept {
    packed_.dispatch([&](auto d) {
      if constexpr (Packed::template is_winograd<layer, decltype(d)::value>())
        WinogradOf<layer, decltype(d)::value>::rounds(in.at(begin), packed_.weights(layer), packed_.template epilogue<layer>(), out, work_.data(), begin, end, in.end, distance());
      else
        Hidden<layer, decltype(d)::value>::rounds(in.at(begin), packed_.weights(layer), packed_.template epilogue<layer>(), out, begin, end, rounds);
    });
  }

  /// The same from the differences to the background. False, and nothing done, where there are too many of them.
  template <int layer>
  SPINEL_NOINLINE bool from_differences(Stored* out, int begin, int end, int rounds) noexcept {
    if constexpr (is_int8) {
      if (!delta_allowed_) return false;
      const auto& in = buffers_[layer];
      constexpr int reach = network.layers[layer].kernel / 2;
      const int from = spinel::max(0, begin - reach), to = spinel::min(in.end, end + reach);
      const auto most = static_cast<std::int64_t>(delta_share * static_cast<float>((to - from) * distance() * distance()) *
                                                  static_cast<float>(network.in_channels(layer) / 4));
      if (!delta_rows_.template find<network.in_channels(layer)>(in, &output_background_[layer - 1], from, to, rounds, distance(), most)) return false;
      const int slab = detail::delta_slab_rounds(end - begin, distance(), widest_channels);
      const std::size_t round_size = packed_.sites() * static_cast<std::size_t>(network.out_channels(layer));
      for (int t = begin; t < end; t += slab) {
        const int last = spinel::min(end, t + slab);
        Delta<layer>::accumulate(delta_rows_, packed_.delta_weights(layer), &delta_sums_[layer], delta_work_, t, last, rounds, distance());
        Delta<layer>::finish(delta_work_, output_background_[layer], packed_.template epilogue<layer>(), out + static_cast<std::size_t>(t - begin) * round_size, t, last, rounds, distance());
      }
      ++delta_passes_;
      return true;
    }
    return false;
  }

  /// The background's sums of round t of a short volume, as differences to nothing.
  template <int layer>
  SPINEL_COLD void background_sums(const detail::RoundBuffer<Stored>& in, int t, int rounds, std::int32_t* to) noexcept {
    constexpr int reach = network.layers[layer].kernel / 2, channels = network.out_channels(layer);
    delta_rows_.template find<network.in_channels(layer)>(in, nullptr, spinel::max(0, t - reach), spinel::min(rounds, t + reach + 1), rounds, distance(),
                                                          std::int64_t{1} << 40);
    Delta<layer>::accumulate(delta_rows_, packed_.delta_weights(layer), nullptr, delta_work_, t, t + 1, rounds, distance());
    for (std::size_t site = 0; site < packed_.sites(); ++site)
      for (std::size_t c = 0; c < channels; ++c)
        to[site * channels + c] = delta_work_.touched[site] == 0 ? 0 : delta_work_.sums[site * channels + c] - 128 * delta_work_.corrections[site];
  }

  template <class AnyArena>
  SPINEL_COLD constexpr void take_memory(AnyArena& arena) noexcept {
    packed_.take_memory(arena);
    std::size_t work = 0;
    int lag = 0;    // rounds that the layers before this one still owe when a pass ends; they all come in the last pass
    int reach = 0;  // of all layers so far
    const auto take_background = [&](auto& background, int ends, std::size_t round_size) {
      using Value = typename std::remove_reference_t<decltype(background.memory)>::value_type;
      background.ends = ends;
      background.round_size = round_size;
      background.memory = arena.template take<Value>(static_cast<std::size_t>(background.stored(ends)) * round_size);
    };
    for (int layer = 0; layer < n_layers; ++layer) {
      const int kernel = network.layers[layer].kernel;
      const auto capacity = static_cast<std::size_t>(pass_rounds + lag + kernel);
      const auto l = static_cast<std::size_t>(layer);
      const auto in = static_cast<std::size_t>(network.in_channels(layer)), out = static_cast<std::size_t>(network.out_channels(layer));
      reach += kernel / 2;
      if (layer == 0) {
        first_input_.differences.memory = arena.template take<detail::InputDifference>(capacity * packed_.sites() * in);
        first_input_.differences.round_size = packed_.sites() * in;
        first_input_.counts.memory = arena.template take<std::uint16_t>(capacity);
        first_input_.counts.round_size = 1;
        input_slice_ = arena.template take<float>(packed_.sites() * in);
        first_work_ = arena.template take<float>(packed_.sites() * out);
        take_background(input_background_, 1, packed_.sites() * in);
        take_background(first_sums_, reach + 1, packed_.sites() * out);
      } else if (layer < n_hidden) {
        if (const auto edges = detail::winograd_edges(distance()); Packed::is_wide(layer) && edges.space != 0)
          work = spinel::max(work, detail::winograd_work(distance(), edges, network.in_channels(layer), network.out_channels(layer)));
        buffers_[l].memory = arena.template take<Stored>(capacity * packed_.sites() * in);
        buffers_[l].round_size = packed_.sites() * in;
        if constexpr (is_int8) take_background(delta_sums_[l], reach + 1, packed_.sites() * out);
      } else {
        product_ = arena.template take<float>(Last::product_size(packed_.sites()));
        shares_.round_size = packed_.sites() * static_cast<std::size_t>(Last::share_size);
        shares_.memory = arena.template take<float>(capacity * shares_.round_size);
        last_ = arena.template take<Stored>(static_cast<std::size_t>(pass_rounds + lag) * packed_.sites() * in);
      }
      if (layer < background_layers) take_background(output_background_[l], reach + 1, packed_.sites() * out);
      lag += kernel / 2;
    }
    if (is_int8 && n_hidden > 1) {
      const std::size_t rows = static_cast<std::size_t>(pass_rounds + lag) * packed_.sites();
      constexpr auto widest = static_cast<std::size_t>(widest_channels);
      const auto slab = static_cast<std::size_t>(detail::delta_most_rounds(distance(), widest_channels));
      delta_rows_.take_memory(arena, rows, widest);
      delta_work_.take_memory(arena, slab * packed_.sites(), rows, widest);
    }
    work_ = arena.template take<float>(work);
    slice_ = arena.template take<float>(packed_.sites() * static_cast<std::size_t>(output_channels));
  }

  // == Permanent ==
  Packed packed_{};
  bool delta_allowed_ = true;
  // == Permanent: fixed by set_background ==
  int background_rounds_ = 0;
  detail::BackgroundRounds<float> input_background_{}, first_sums_{};
  std::array<detail::BackgroundRounds<Stored>, layer_count> output_background_{};
  std::array<detail::BackgroundRounds<std::int32_t>, layer_count> delta_sums_{};  // int8 only

  // == Per volume: cleared by begin() ==
  int rounds_ = 0;
  bool has_background_ = false;
  int delta_passes_ = 0;
  std::array<int, layer_count> done_{};  // output rounds of each layer
  typename First::Input first_input_{};
  Span<float> input_slice_{};
  Span<float> first_work_{};
  std::array<detail::RoundBuffer<Stored>, layer_count> buffers_{};
  detail::DeltaRows delta_rows_{};   // int8 only
  detail::DeltaWork delta_work_{};   // int8 only
  Span<float> product_{};                 // of the last layer and one round
  detail::RoundBuffer<float> shares_{};  // its sums
  Span<Stored> last_{};
  Span<float> slice_{};
  Span<float> work_{};  // transformed tiles of the layer in hand
};

}  // namespace spinel
