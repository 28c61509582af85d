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
#include <spinel/nn/quantize.hpp>
#include <spinel/nn/weights.hpp>
#include <spinel/nn/winograd.hpp>
#include <type_traits>
#include <utility>

namespace spinel {

namespace detail {

/// Counts what an Arena would hand out, in constant expressions too.
struct CountingArena {
  std::size_t used = 0;
  template <class T>
  constexpr Span<T> take(std::size_t count) noexcept {
    used += (count * sizeof(T) + Arena::alignment - 1) / Arena::alignment * Arena::alignment;
    return {};
  }
};

/// A sliding range of rounds of one layer's input.
template <class T>
struct RoundBuffer {
  Span<T> memory{};
  std::size_t round_size = 0;
  int first = 0;  ///< round that lies at the start of `memory`
  int end = 0;    ///< rounds below this one are there

  T* at(int round) const noexcept { return memory.data() + static_cast<std::size_t>(round - first) * round_size; }
  void reset() noexcept { first = end = 0; }
  /// Forgets the rounds below `round`.
  void drop_below(int round) noexcept {
    if (round <= first) return;
    std::memmove(memory.data(), at(round), static_cast<std::size_t>(end - round) * round_size * sizeof(T));
    first = round;
  }
};

inline constexpr int smallest_distance = 3, largest_distance = 21;

/// Calls `visit` with the odd distance 3 to 21 as an integral constant.
template <class Visit>
SPINEL_ALWAYS_INLINE void with_distance(int distance, Visit&& visit) noexcept {
  [&]<int... k>(std::integer_sequence<int, k...>) {
    (void)((distance == 2 * k + 3 ? (visit(std::integral_constant<int, 2 * k + 3>{}), true) : false) || ...);
  }(std::make_integer_sequence<int, 10>{});
}

}  // namespace detail

/// Arithmetic of the hidden layers.
enum class Precision : std::uint8_t { fp32, bf16, int8 };

/// Runs `network` on instruction set A. `fixed_distance` is the width and height of the volume at compile time, or 0 for any odd
/// distance from 3 to 21 chosen at set-up. All memory is handed in once. Whatever the precision, the first layer multiplies in
/// float32 (it has four input channels) and logits are float32.
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
  using FirstElement = std::conditional_t<is_int8, detail::ExactFloat32<A>, detail::Float32<A>>;
  using Stored = typename Element::input;
  using Last = detail::NarrowConv<Element, network.in_channels(n_layers - 1), network.output_channels(), network.layers[n_layers - 1].kernel>;
  static constexpr auto layer_count = static_cast<std::size_t>(n_layers);

 public:
  static constexpr int pass_rounds = 24;  // a multiple of both Winograd tiles' edges
  static constexpr int input_channels = network.input_channels;
  static constexpr int output_channels = network.output_channels();
  using Weights = std::conditional_t<is_int8, CalibratedWeights<network>, WeightsView<network>>;

  /// Bytes that `set_up` needs for this distance, whatever the number of rounds.
  static constexpr std::size_t memory_bytes(int distance) noexcept {
    Forward counting;
    counting.distance_ = distance;
    detail::CountingArena arena;
    counting.take_memory(arena);
    return arena.used + Arena::alignment;
  }

  /// Packs the weights into `memory`. Fails with bad_argument for a distance that this engine does not serve or for int8 without
  /// calibration, and with out_of_capacity when `memory` is smaller than `memory_bytes(distance)`.
  Status set_up(const Weights& weights, int distance, Span<std::byte> memory) noexcept {
    if (distance < detail::smallest_distance || distance > detail::largest_distance || distance % 2 == 0) return Status::bad_argument;
    if (fixed_distance != 0 && distance != fixed_distance) return Status::bad_argument;
    if (memory.size() < memory_bytes(distance)) return Status::out_of_capacity;
    const WeightsView<network>* found = nullptr;
    if constexpr (is_int8) {
      if (weights.ranges.observed == 0) return Status::bad_argument;
      found = &weights.view;
      for (int l = 0; l < n_hidden; ++l) bytes_[static_cast<std::size_t>(l)] = detail::byte_scale(weights.ranges.low[l], weights.ranges.high[l]);
    } else {
      found = &weights;
    }
    const WeightsView<network>& view = *found;
    distance_ = distance;
    Arena arena{memory};
    take_memory(arena);
    for (std::size_t l = 0; l < layer_count; ++l) copy(view.bias[l], view.bias[l] + network.layers[l].filters, bias_[l].data());
    if constexpr (is_int8)
      for (int l = 1; l < n_layers; ++l) set_up_scales(view, l);
    for_each_hidden([&]<int layer>() {
      dispatch([&](auto d) {
        if constexpr (is_winograd<layer, decltype(d)::value>()) {
          WinogradOf<layer, decltype(d)::value>::pack(view.weight[layer], weights_[layer].data());
          return;
        }
        constexpr int block = Hidden<layer, decltype(d)::value>::block_channels;
        const auto pack = [&](auto* packed, int group, auto&& convert) {
          detail::pack_weights(view.weight[layer], packed, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel,
                               block, group, convert);
        };
        if constexpr (layer == 0)
          pack(first_weights_.data(), 1, [](float w, int) { return w; });
        else
          pack(weights_[layer].data(), Element::group, [&](float w, int out) { return converted(w, layer, out); });
      });
    });
    Last::pack(view.weight[n_layers - 1], weights_[n_layers - 1].data(), [&](float w, int out) { return converted(w, n_layers - 1, out); });
    return Status::ok;
  }

  /// One volume of `rounds` >= 1 rounds. `input(t, slice)` fills slice [row][column][input channel] of round t, ascending;
  /// `output(t, slice)` gets [row][column][output channel]. In fp32, `watch(layer, t, slice)` sees every hidden layer's activations.
  template <class Input, class Output, class Watch>
  void run(int rounds, Input&& input, Output&& output, Watch&& watch) noexcept {
    input_.reset();
    for (auto& buffer : buffers_) buffer.reset();
    product_.reset();
    int done[layer_count]{};
    const auto reachable = [&](int layer, int available) {
      return available == rounds ? rounds : spinel::max(done[layer], available - network.layers[layer].kernel / 2);
    };
    for (int t0 = 0; t0 < rounds; t0 += pass_rounds) {
      input_.drop_below(done[0] - network.layers[0].kernel / 2);
      for (; input_.end < spinel::min(rounds, t0 + pass_rounds); ++input_.end) input(input_.end, input_.at(input_.end));
      for_each_hidden([&]<int layer>() {
        const auto& in = in_of<layer>();
        const int begin = done[layer], end = reachable(layer, in.end);
        Stored* out = nullptr;
        if constexpr (layer + 1 < n_hidden) {
          auto& next = buffers_[layer + 1];
          next.drop_below(done[layer + 1] - network.layers[layer + 1].kernel / 2);
          out = next.at(next.end);
        } else {
          out = last_.data();
        }
        const auto* packed = [&] {
          if constexpr (layer == 0) return static_cast<const float*>(first_weights_.data());
          else return static_cast<const typename Element::weight*>(weights_[layer].data());
        }();
        dispatch([&](auto d) {
          if constexpr (is_winograd<layer, decltype(d)::value>())
            WinogradOf<layer, decltype(d)::value>::rounds(in.at(begin), packed, epilogue<layer>(), out, work_.data(), begin, end, in.end, distance());
          else
            Hidden<layer, decltype(d)::value>::rounds(in.at(begin), packed, epilogue<layer>(), out, begin, end, rounds);
        });
        if constexpr (precision == Precision::fp32) {
          const std::size_t round_size = sites() * static_cast<std::size_t>(network.out_channels(layer));
          for (int t = begin; t < end; ++t) watch(layer, t, static_cast<const float*>(out + static_cast<std::size_t>(t - begin) * round_size));
        }
        if constexpr (layer + 1 < n_hidden) {
          buffers_[layer + 1].end = end;
        } else {
          constexpr int l = n_layers - 1;
          product_.drop_below(done[l] - network.layers[l].kernel / 2);
          Last::products(out, weights_[l].data(), product_epilogue(), product_.at(product_.end), static_cast<std::ptrdiff_t>(sites()) * (end - begin));
          product_.end = end;
        }
        done[layer] = end;
      });
      constexpr int l = n_layers - 1;
      for (const int end = reachable(l, product_.end); done[l] < end; ++done[l]) {
        Last::shift_add(product_.at(done[l]), bias_[l].data(), slice_.data(), done[l], done[l] + 1, rounds, distance());
        output(done[l], static_cast<const float*>(slice_.data()));
      }
    }
  }
  template <class Input, class Output>
  void run(int rounds, Input&& input, Output&& output) noexcept {
    run(rounds, input, output, [](int, int, const float*) {});
  }

  constexpr int distance() const noexcept { return fixed_distance != 0 ? fixed_distance : distance_; }

 private:
  template <int layer, int d>
  using Hidden = detail::DirectConv<std::conditional_t<layer == 0, FirstElement, Element>, network.in_channels(layer), network.out_channels(layer),
                                    network.layers[layer].kernel, d>;

  /// float32 layers that are wide enough go through fewer multiplications; everything else is direct.
  static constexpr bool is_wide(int layer) noexcept {
    return precision == Precision::fp32 && layer > 0 && network.layers[layer].kernel == 3 && network.in_channels(layer) >= 64 &&
           network.out_channels(layer) >= 64 && network.out_channels(layer) % (2 * A::width) == 0;
  }
  template <int layer, int d>
  static constexpr bool is_winograd() noexcept {
    return is_wide(layer) && detail::winograd_tile(d) != 0;
  }
  template <int layer, int d>
  using WinogradOf = detail::Winograd<A, detail::winograd_tile(d), network.in_channels(layer), network.out_channels(layer)>;

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
  constexpr std::size_t sites() const noexcept { return static_cast<std::size_t>(distance()) * static_cast<std::size_t>(distance()); }

  template <int layer>
  auto& in_of() noexcept {
    if constexpr (layer == 0)
      return input_;
    else
      return buffers_[layer];
  }

  template <int layer>
  auto epilogue() const noexcept {
    constexpr Activation activation = network.layers[layer].activation;
    if constexpr (precision == Precision::fp32)
      return detail::StoreFloat32<A, activation>{bias_[layer].data()};
    else if constexpr (precision == Precision::bf16)
      return detail::StoreBFloat16<A, activation>{bias_[layer].data()};
    else if constexpr (layer == 0)
      return detail::QuantizeFloat<A, activation>{bias_[0].data(), 1.0f / bytes_[0].scale, bytes_[0].zero};
    else
      return detail::Quantize<A, activation>{scales_[layer].data(), offsets_[layer].data(), network.out_channels(layer), 1.0f / bytes_[layer].scale,
                                             bytes_[layer].zero};
  }
  auto product_epilogue() const noexcept {
    if constexpr (is_int8)
      return detail::StoreScaled<A>{scales_[n_layers - 1].data(), offsets_[n_layers - 1].data()};
    else
      return detail::StoreSums<A>{};
  }

  typename Element::weight converted(float weight, int layer, int out) const noexcept {
    (void)layer, (void)out;
    if constexpr (precision == Precision::fp32)
      return weight;
    else if constexpr (precision == Precision::bf16)
      return detail::bfloat16_of(weight);
    else
      return detail::quantized_weight(weight, weight_scales_[static_cast<std::size_t>(layer)][static_cast<std::size_t>(out)]);
  }

  /// Scales of an int8 layer's sums, and the shares of the input's zero point: per edge pattern for a hidden layer, per product
  /// column for the last one.
  void set_up_scales(const WeightsView<network>& view, int layer) noexcept {
    const auto l = static_cast<std::size_t>(layer);
    const int in = network.in_channels(layer), out = network.out_channels(layer), kernel = network.layers[layer].kernel;
    const int taps = kernel * kernel * kernel;
    const detail::ByteScale input = bytes_[l - 1];
    const auto zero = static_cast<std::int64_t>(input.zero);
    for (int o = 0; o < out; ++o) {
      const float* weights = view.weight[l] + static_cast<std::ptrdiff_t>(o) * in * taps;
      const float weight_scale = detail::weight_scale(weights, static_cast<std::size_t>(in) * static_cast<std::size_t>(taps));
      weight_scales_[l][static_cast<std::size_t>(o)] = weight_scale;
      const float scale = weight_scale * input.scale;
      const auto tap_sum = [&](int tap) {
        std::int64_t sum = 0;
        for (int i = 0; i < in; ++i) sum += detail::quantized_weight(weights[i * taps + tap], weight_scale);
        return sum;
      };
      if (layer == n_layers - 1) {
        for (int tap = 0; tap < taps; ++tap) {
          const auto column = static_cast<std::size_t>(tap * out + o);
          scales_[l][column] = scale;
          offsets_[l][column] = -scale * static_cast<float>(zero * tap_sum(tap));
        }
        continue;
      }
      scales_[l][static_cast<std::size_t>(o)] = scale;
      for (int edges = 0; edges < 64; ++edges) {
        // bits from the top: last row, first row, last round, first round of the 16 row patterns, then right and left
        const int w_edges = edges % 4, t_edges = edges / 4 % 4, h_edges = edges / 16;
        const auto inside = [&](int k, int side) { return !((side & 1) != 0 && k < kernel / 2) && !((side & 2) != 0 && k > kernel / 2); };
        std::int64_t sum = 0;
        for (int kt = 0; kt < kernel; ++kt)
          for (int kh = 0; kh < kernel; ++kh)
            for (int kw = 0; kw < kernel; ++kw)
              if (inside(kt, t_edges) && inside(kh, h_edges) && inside(kw, w_edges)) sum += tap_sum((kt * kernel + kh) * kernel + kw);
        offsets_[l][static_cast<std::size_t>(edges * out + o)] =
            static_cast<float>(spinel::fma(-static_cast<double>(scale), static_cast<double>(zero * sum), static_cast<double>(view.bias[l][o])));
      }
    }
  }

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena) noexcept {
    std::size_t work = 0;
    int lag = 0;  // rounds that the layers before this one still owe when a pass ends; they all come in the last pass
    for (int layer = 0; layer < n_layers; ++layer) {
      const int kernel = network.layers[layer].kernel;
      const auto capacity = static_cast<std::size_t>(pass_rounds + lag + kernel);
      const auto l = static_cast<std::size_t>(layer);
      const auto in = static_cast<std::size_t>(network.in_channels(layer)), out = static_cast<std::size_t>(network.out_channels(layer));
      bias_[l] = arena.template take<float>(out);
      if (layer == 0) {
        first_weights_ = arena.template take<float>(network.weights(0));
        input_.memory = arena.template take<float>(capacity * sites() * in);
        input_.round_size = sites() * in;
      } else if (layer < n_hidden) {
        std::size_t size = network.weights(layer);
        if (const int m = detail::winograd_tile(distance()); is_wide(layer) && m != 0) {
          const auto n = static_cast<std::size_t>(m + 2);
          size = n * n * n * in * out;
          work = spinel::max(work, detail::winograd_work(distance(), m, in, out));
        }
        weights_[l] = arena.template take<typename Element::weight>(size);
        buffers_[l].memory = arena.template take<Stored>(capacity * sites() * in);
        buffers_[l].round_size = sites() * in;
      } else {
        constexpr auto columns = static_cast<std::size_t>(Last::columns);
        weights_[l] = arena.template take<typename Element::weight>(columns * in);
        product_.memory = arena.template take<float>(capacity * sites() * columns);
        product_.round_size = sites() * columns;
        last_ = arena.template take<Stored>(static_cast<std::size_t>(pass_rounds + lag) * sites() * in);
      }
      if constexpr (is_int8)
        if (layer > 0) {
          weight_scales_[l] = arena.template take<float>(out);
          scales_[l] = arena.template take<float>(layer < n_hidden ? out : static_cast<std::size_t>(Last::columns));
          offsets_[l] = arena.template take<float>(layer < n_hidden ? 64 * out : static_cast<std::size_t>(Last::columns));
        }
      lag += kernel / 2;
    }
    work_ = arena.template take<float>(work);
    slice_ = arena.template take<float>(sites() * static_cast<std::size_t>(output_channels));
  }

  // == Permanent: fixed at set-up ==
  int distance_ = fixed_distance;
  Span<float> first_weights_{};
  std::array<Span<typename Element::weight>, layer_count> weights_{};
  std::array<Span<float>, layer_count> bias_{};
  std::array<Span<float>, layer_count> weight_scales_{}, scales_{}, offsets_{};  // int8 only
  std::array<detail::ByteScale, layer_count> bytes_{};                               // int8 only

  // == Per volume: cleared by run() ==
  detail::RoundBuffer<float> input_{};
  std::array<detail::RoundBuffer<Stored>, layer_count> buffers_{};
  detail::RoundBuffer<float> product_{};
  Span<Stored> last_{};
  Span<float> slice_{};
  Span<float> work_{};  // transformed tiles of the layer in hand
};

}  // namespace spinel
