// SPDX-License-Identifier: Apache-2.0
// A network over any number of rounds in constant memory: rounds enter in passes of at most `pass_rounds`, every layer goes as
// far as its input allows and keeps the last kernel - 1 rounds for the next pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/delta.hpp>
#include <spinel/nn/first_layer.hpp>
#include <spinel/nn/last_layer.hpp>
#include <spinel/nn/quantize.hpp>
#include <spinel/nn/round_buffer.hpp>
#include <spinel/nn/weights.hpp>
#include <spinel/nn/winograd.hpp>
#include <type_traits>
#include <utility>

namespace spinel {

namespace detail {

/// Calls `visit` with the odd distance 3 to 21 as an integral constant.
template <class Visit>
SPINEL_ALWAYS_INLINE void with_distance(int distance, Visit&& visit) noexcept {
  [&]<int... k>(std::integer_sequence<int, k...>) {
    (void)((distance == 2 * k + 3 ? (visit(std::integral_constant<int, 2 * k + 3>{}), true) : false) || ...);
  }(std::make_integer_sequence<int, 10>{});
}

}  // namespace detail

/// Runs `network` on instruction set A. `fixed_distance` is the width and height of the volume at compile time, or 0 for any odd
/// distance from 3 to 21 chosen at set-up. All memory is handed in once. Whatever the precision, the first layer multiplies in
/// float32 (it has four input channels) and logits are float32. The int8 engine takes inputs that are multiples of 1/2 in [-1, 1].
template <Network network, Arch A, int fixed_distance = 0, Precision precision = Precision::fp32>
class Forward {
  static constexpr int n_layers = network.n_layers;
  static constexpr int n_hidden = n_layers - 1;
  static constexpr bool is_int8 = precision == Precision::int8;
  static_assert(network.valid(), "the network has no layers, or a layer without filters or with an even kernel");
  static_assert(n_layers >= 2, "the network needs at least one hidden layer");
  static_assert(network.layers[n_layers - 1].activation == Activation::none, "the last layer gives logits: it has no activation");
  static_assert(!is_int8 || [] {
    for (int l = 1; l < n_hidden; ++l)
      if (network.layers[l].kernel > 3) return false;
    return true;
  }(), "int8 layers after the first have kernels of 1 or 3");

  using Element = std::conditional_t<is_int8, detail::Int8<A>,
                                     typename std::conditional_t<precision == Precision::bf16, std::type_identity<detail::BFloat16<A>>,
                                                                 std::type_identity<detail::Float32<A>>>::type>;
  using Stored = typename Element::input;
  using First = detail::FirstLayer<A, network.input_channels, network.out_channels(0), network.layers[0].kernel>;
  using Last = detail::LastLayer<Element, network.in_channels(n_layers - 1), network.output_channels(), network.layers[n_layers - 1].kernel>;
  static constexpr detail::Int8LayerShape last_shape{network.in_channels(n_layers - 1), Last::columns, 1, Last::column_kernel};
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
  using Weights = std::conditional_t<is_int8, CalibratedWeights<network>, WeightsView<network>>;

  /// Bytes that `set_up` needs for this distance, whatever the number of rounds.
  SPINEL_COLD static constexpr std::size_t memory_bytes(int distance) noexcept {
    Forward counting;
    counting.distance_ = distance;
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
    const WeightsView<network>* found = nullptr;
    if constexpr (is_int8) {
      if (weights.ranges.observed == 0) return Status::bad_argument;
      found = &weights.view;
    } else {
      found = &weights;
    }
    const WeightsView<network>& view = *found;
    distance_ = distance;
    background_rounds_ = 0;
    Arena arena{memory};
    take_memory(arena);
    if constexpr (is_int8)
      for (int layer = 0; layer < n_hidden; ++layer) weights.ranges.order_by_activity(layer, order_[static_cast<std::size_t>(layer)].data());
    for (int layer = 0; layer < n_layers; ++layer)
      for (int out = 0; out < network.layers[layer].filters; ++out)
        bias_[static_cast<std::size_t>(layer)][static_cast<std::size_t>(out)] = view.bias[layer][place(layer, out)];
    First::pack([&](int out, int in, int tap) { return weight(view, 0, out, in, tap); }, first_weights_.data());
    if constexpr (is_int8) set_up_scales(view, weights.ranges);
    for_each_hidden([&]<int layer>() {
      if constexpr (layer > 0) pack<layer>(view);
    });
    constexpr int l = n_layers - 1;
    dispatch([&](auto d) {
      Last::template pack<decltype(d)::value>(weights_[l].data(), [&](int column, int in, int tap) { return converted(last_weight(view, column, in, tap), l, column, in); });
    });
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
      First::template rounds<detail::StoreSums<A>, float>(first_input_, first_weights_.data(), nullptr, nullptr, {}, to, first_work_.data(), t, t + 1, short_rounds, distance());
    });
    each_kind(output_background_[0], [&](int t, Stored* to) {
      First::template rounds<decltype(epilogue<0>()), Stored>(first_input_, first_weights_.data(), nullptr, nullptr, epilogue<0>(), to, first_work_.data(), t, t + 1, short_rounds, distance());
    });
    if constexpr (is_int8 && n_hidden > 1) {
      First::template rounds<decltype(epilogue<0>()), Stored>(first_input_, first_weights_.data(), nullptr, nullptr, epilogue<0>(), buffers_[1].at(0), first_work_.data(), 0, short_rounds, short_rounds,
                    distance());
      buffers_[1].end = short_rounds;
      for_each_hidden([&]<int layer>() {
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

  constexpr int distance() const noexcept { return fixed_distance != 0 ? fixed_distance : distance_; }

 private:
  template <int layer, int d>
  using Hidden = detail::DirectConv<Element, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel, d>;
  template <int layer>
  using Delta = detail::DeltaConv<A, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel>;

  /// float32 layers that are wide enough go through fewer multiplications; everything else is direct.
  static constexpr bool is_wide(int layer) noexcept {
    return precision == Precision::fp32 && layer > 0 && network.layers[layer].kernel == 3 && network.in_channels(layer) >= 64 &&
           network.out_channels(layer) >= 64 && network.out_channels(layer) % (2 * A::width) == 0;
  }
  template <int layer, int d>
  static constexpr bool is_winograd() noexcept {
    return is_wide(layer) && detail::winograd_edges(d).space != 0;
  }
  template <int layer, int d>
  using WinogradOf = detail::Winograd<A, detail::winograd_edges(d).time, detail::winograd_edges(d).space, network.in_channels(layer), network.out_channels(layer)>;

  template <class Visit>
  SPINEL_ALWAYS_INLINE void dispatch(Visit&& visit) const noexcept {
    if constexpr (fixed_distance != 0)
      visit(std::integral_constant<int, fixed_distance>{});
    else
      detail::with_distance(distance_, visit);
  }
  template <class Visit>
  static SPINEL_ALWAYS_INLINE void for_each_hidden(Visit&& visit) noexcept {
    [&]<int... layer>(std::integer_sequence<int, layer...>) { (visit.template operator()<layer>(), ...); }(std::make_integer_sequence<int, n_hidden>{});
  }
  static constexpr int renumber_at = 1 << 16;
  /// So that the numbers of rounds never run out: far from both ends all rounds are alike.
  SPINEL_NOINLINE void renumber() noexcept {
    constexpr int by = renumber_at - 2 * fewest_unknown_rounds;
    first_input_.renumber(by);
    for (auto& buffer : buffers_) buffer.renumber(by);
    shares_.renumber(by);
    for (int& done : done_) done -= by;
  }
  constexpr std::size_t sites() const noexcept { return static_cast<std::size_t>(distance()) * static_cast<std::size_t>(distance()); }
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
    for_each_hidden([&]<int layer>() {
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
        First::template rounds<decltype(epilogue<0>()), Stored>(first_input_, first_weights_.data(), has_background_ ? &first_sums_ : nullptr,
                                                                has_background_ ? &output_background_[0] : nullptr, epilogue<0>(), out, first_work_.data(),
                                                                begin, end, rounds, distance());
      else if (!has_background_ || !from_differences<layer>(out, begin, end, rounds))
        dense<layer>(buffers_[layer], out, begin, end, rounds);
      if constexpr (precision == Precision::fp32) {
        const std::size_t round_size = sites() * static_cast<std::size_t>(network.out_channels(layer));
        for (int t = begin; t < end; ++t) watch(layer, t, static_cast<const float*>(out + static_cast<std::size_t>(t - begin) * round_size));
      }
      if constexpr (layer + 1 < n_hidden) {
        buffers_[layer + 1].end = end;
      } else {
        constexpr int l = n_layers - 1;
        shares_.make_room(done_[l] - network.layers[l].kernel / 2, end - begin);
        // Round by round: a product stays in the cache until it is summed.
        for (const Stored* round = out; shares_.end < end; ++shares_.end, round += sites() * static_cast<std::size_t>(network.in_channels(l))) {
          dispatch([&](auto d) { Last::template shares<decltype(d)::value>(round, weights_[l].data(), share_epilogue(), product_.data(), shares_.at(shares_.end)); });
        }
      }
      done_[layer] = end;
    });
    constexpr int l = n_layers - 1;
    for (const int end = reachable(l, shares_.end); done_[l] < end; ++done_[l]) {
      Last::sum_shares([&](int t) { return static_cast<const float*>(shares_.at(t)); }, bias_[l].data(), slice_.data(), done_[l], rounds, distance());
      output(done_[l], static_cast<const float*>(slice_.data()));
    }
  }

  template <int layer>
  auto epilogue() const noexcept {
    constexpr Activation activation = network.layers[layer].activation;
    if constexpr (precision == Precision::fp32)
      return detail::StoreFloat32<A, activation>{bias_[layer].data()};
    else if constexpr (precision == Precision::bf16)
      return detail::StoreBFloat16<A, activation>{bias_[layer].data()};
    else if constexpr (layer == 0)
      return detail::QuantizeFloat<A, activation>{bias_[0].data(), inverse_scales_[0].data(), zeros_[0].data()};
    else
      return detail::Quantize<A, activation>{scales_[layer].data(), offsets_[layer].data(), network.out_channels(layer), inverse_scales_[layer].data(),
                                             zeros_[layer].data()};
  }
  auto share_epilogue() const noexcept {
    if constexpr (is_int8)
      return detail::StoreScaled<A>{scales_[n_layers - 1].data(), offsets_[n_layers - 1].data(), Last::columns};
    else
      return detail::StoreSums<A>{};
  }

  /// Every product of a hidden layer but the first, output rounds [begin, end).
  template <int layer>
  SPINEL_NOINLINE void dense(const detail::RoundBuffer<Stored>& in, Stored* out, int begin, int end, int rounds) noexcept {
    dispatch([&](auto d) {
      if constexpr (is_winograd<layer, decltype(d)::value>())
        WinogradOf<layer, decltype(d)::value>::rounds(in.at(begin), weights_[layer].data(), epilogue<layer>(), out, work_.data(), begin, end, in.end, distance());
      else
        Hidden<layer, decltype(d)::value>::rounds(in.at(begin), weights_[layer].data(), epilogue<layer>(), out, begin, end, rounds);
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
      const std::size_t round_size = sites() * static_cast<std::size_t>(network.out_channels(layer));
      for (int t = begin; t < end; t += slab) {
        const int last = spinel::min(end, t + slab);
        Delta<layer>::accumulate(delta_rows_, delta_weights_[layer].data(), &delta_sums_[layer], delta_work_, t, last, rounds, distance());
        Delta<layer>::finish(delta_work_, output_background_[layer], epilogue<layer>(), out + static_cast<std::size_t>(t - begin) * round_size, t, last, rounds, distance());
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
    Delta<layer>::accumulate(delta_rows_, delta_weights_[layer].data(), nullptr, delta_work_, t, t + 1, rounds, distance());
    for (std::size_t site = 0; site < sites(); ++site)
      for (std::size_t c = 0; c < channels; ++c)
        to[site * channels + c] = delta_work_.touched[site] == 0 ? 0 : delta_work_.sums[site * channels + c] - 128 * delta_work_.corrections[site];
  }

  /// Where a packed channel of a layer's output lies in the weights: int8 layers are packed by activity.
  int place(int layer, int channel) const noexcept {
    if (!is_int8 || layer < 0 || layer >= n_hidden) return channel;
    return order_[static_cast<std::size_t>(layer)][static_cast<std::size_t>(channel)];
  }
  /// A weight by packed channels.
  float weight(const WeightsView<network>& view, int layer, int out, int in, int tap) const noexcept {
    const int kernel = network.layers[layer].kernel;
    return view.weight[layer][(static_cast<std::ptrdiff_t>(place(layer, out)) * network.in_channels(layer) + place(layer - 1, in)) * kernel * kernel * kernel + tap];
  }

  float last_weight(const WeightsView<network>& view, int column, int in, int tap) const noexcept {
    const auto place = Last::place(column, tap);
    return place.filter < 0 ? 0.0f : weight(view, n_layers - 1, place.filter, in, place.tap);
  }

  typename Element::weight converted(float weight, int layer, int column, int in) const noexcept {
    (void)layer, (void)column, (void)in;
    const auto l = static_cast<std::size_t>(layer);
    if constexpr (precision == Precision::fp32)
      return weight;
    else if constexpr (precision == Precision::bf16)
      return detail::bfloat16_of(weight);
    else
      return detail::quantized_weight(weight * byte_scales_[l - 1][static_cast<std::size_t>(in)], scales_[l][static_cast<std::size_t>(column)]);
  }

  template <int layer>
  SPINEL_COLD void pack(const WeightsView<network>& view) noexcept {
    constexpr int in_channels = network.in_channels(layer), out_channels = network.out_channels(layer), kernel = network.layers[layer].kernel;
    dispatch([&](auto d) {
      if constexpr (is_winograd<layer, decltype(d)::value>())
        WinogradOf<layer, decltype(d)::value>::pack(view.weight[layer], weights_[layer].data());
      else
        detail::pack_weights(weights_[layer].data(), in_channels, out_channels, kernel * kernel * kernel, Hidden<layer, decltype(d)::value>::block_channels, Element::group,
                             [&](int out, int in, int tap) { return converted(weight(view, layer, out, in, tap), layer, out, in); });
    });
    if constexpr (is_int8)
      Delta<layer>::pack(delta_weights_[layer].data(), [&](int out, int in, int tap) { return converted(weight(view, layer, out, in, tap), layer, out, in); });
  }

  /// int8: what the bytes of every layer stand for, and the first layer's weights on a grid that makes its sums exact.
  template <class Ranges>
  SPINEL_COLD void set_up_scales(const WeightsView<network>& view, const Ranges& ranges) noexcept {
    constexpr auto first_weights = static_cast<std::size_t>(network.weights(0)), first_out = static_cast<std::size_t>(network.out_channels(0));
    for (std::size_t out = 0; out < first_out; ++out) {
      const auto from = static_cast<std::size_t>(place(0, static_cast<int>(out)));
      const float grid = detail::exact_grid(view.weight[0] + from * (first_weights / first_out), first_weights / first_out);
      for (std::size_t k = out; k < first_weights; k += first_out) first_weights_[k] = spinel::nearbyint(first_weights_[k] / grid) * grid;
    }
    for (int layer = 0; layer < n_hidden; ++layer) {
      const auto l = static_cast<std::size_t>(layer);
      detail::byte_scales(ranges.low[l], ranges.high[l], order_[l].data(), network.out_channels(layer), byte_scales_[l].data(), zeros_[l].data());
      for (std::size_t c = 0; c < byte_scales_[l].size(); ++c) inverse_scales_[l][c] = 1.0f / byte_scales_[l][c];
    }
    const auto scales = [&](const detail::Int8LayerShape& shape, int layer, const float* bias, auto&& weight_of) {
      const auto l = static_cast<std::size_t>(layer);
      detail::int8_scales(shape, weight_of, bias, byte_scales_[l - 1].data(), zeros_[l - 1].data(), scales_[l].data(), offsets_[l].data());
    };
    for (int layer = 1; layer < n_hidden; ++layer) {
      const int kernel = network.layers[layer].kernel;
      scales({network.in_channels(layer), network.out_channels(layer), kernel, kernel}, layer, bias_[static_cast<std::size_t>(layer)].data(),
             [&](int out, int in, int tap) { return weight(view, layer, out, in, tap); });
    }
    scales(last_shape, n_layers - 1, nullptr, [&](int column, int in, int tap) { return last_weight(view, column, in, tap); });
  }

  template <class AnyArena>
  SPINEL_COLD constexpr void take_memory(AnyArena& arena) noexcept {
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
      bias_[l] = arena.template take<float>(out);
      if (layer == 0) {
        first_weights_ = arena.template take<float>(network.weights(0));
        first_input_.differences.memory = arena.template take<detail::InputDifference>(capacity * sites() * in);
        first_input_.differences.round_size = sites() * in;
        first_input_.counts.memory = arena.template take<std::uint16_t>(capacity);
        first_input_.counts.round_size = 1;
        input_slice_ = arena.template take<float>(sites() * in);
        first_work_ = arena.template take<float>(sites() * out);
        take_background(input_background_, 1, sites() * in);
        take_background(first_sums_, reach + 1, sites() * out);
      } else if (layer < n_hidden) {
        std::size_t size = network.weights(layer);
        if (const auto edges = detail::winograd_edges(distance()); is_wide(layer) && edges.space != 0) {
          size = static_cast<std::size_t>(edges.frequencies()) * in * out;
          work = spinel::max(work, detail::winograd_work(distance(), edges, network.in_channels(layer), network.out_channels(layer)));
        }
        weights_[l] = arena.template take<typename Element::weight>(size);
        buffers_[l].memory = arena.template take<Stored>(capacity * sites() * in);
        buffers_[l].round_size = sites() * in;
        if constexpr (is_int8) {
          delta_weights_[l] = arena.template take<std::uint8_t>(size);
          take_background(delta_sums_[l], reach + 1, sites() * out);
        }
      } else {
        constexpr auto columns = static_cast<std::size_t>(Last::columns);
        weights_[l] = arena.template take<typename Element::weight>(columns * in * Last::column_kernel * Last::column_kernel);
        product_ = arena.template take<float>(Last::product_size(sites()));
        shares_.round_size = sites() * static_cast<std::size_t>(Last::share_size);
        shares_.memory = arena.template take<float>(capacity * shares_.round_size);
        last_ = arena.template take<Stored>(static_cast<std::size_t>(pass_rounds + lag) * sites() * in);
      }
      if (layer < background_layers) take_background(output_background_[l], reach + 1, sites() * out);
      if constexpr (is_int8) {
        if (layer < n_hidden) {
          order_[l] = arena.template take<std::int32_t>(out);
          byte_scales_[l] = arena.template take<float>(out);
          inverse_scales_[l] = arena.template take<float>(out);
          zeros_[l] = arena.template take<float>(out);
        }
        if (layer > 0) {
          scales_[l] = arena.template take<float>(layer < n_hidden ? out : static_cast<std::size_t>(Last::columns));
          offsets_[l] = arena.template take<float>(layer < n_hidden ? 64 * out : static_cast<std::size_t>(last_shape.edges() * Last::columns));
        }
      }
      lag += kernel / 2;
    }
    if (is_int8 && n_hidden > 1) {
      const std::size_t rows = static_cast<std::size_t>(pass_rounds + lag) * sites();
      constexpr auto widest = static_cast<std::size_t>(widest_channels);
      const auto slab = static_cast<std::size_t>(detail::delta_most_rounds(distance(), widest_channels));
      delta_rows_.take_memory(arena, rows, widest);
      delta_work_.take_memory(arena, slab * sites(), rows, widest);
    }
    work_ = arena.template take<float>(work);
    slice_ = arena.template take<float>(sites() * static_cast<std::size_t>(output_channels));
  }

  // == Permanent: fixed at set-up ==
  int distance_ = fixed_distance;
  bool delta_allowed_ = true;
  Span<float> first_weights_{};
  std::array<Span<typename Element::weight>, layer_count> weights_{};
  std::array<Span<float>, layer_count> bias_{};
  std::array<Span<float>, layer_count> byte_scales_{}, inverse_scales_{}, zeros_{}, scales_{}, offsets_{};  // int8 only
  std::array<Span<std::int32_t>, layer_count> order_{};                                                    // int8 only
  std::array<Span<std::uint8_t>, layer_count> delta_weights_{};                                            // int8 only
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
