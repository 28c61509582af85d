// SPDX-License-Identifier: Apache-2.0
// A network's weights as its kernels read them, for one instruction set, precision and distance: all that is fixed at set-up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/delta.hpp>
#include <spinel/nn/element.hpp>
#include <spinel/nn/first_layer.hpp>
#include <spinel/nn/last_layer.hpp>
#include <spinel/nn/quantize.hpp>
#include <spinel/nn/weights.hpp>
#include <spinel/nn/winograd.hpp>
#include <type_traits>
#include <utility>

namespace spinel::detail {

/// Calls `visit` with the odd distance 3 to 21 as an integral constant.
template <class Visit>
SPINEL_ALWAYS_INLINE void with_distance(int distance, Visit&& visit) noexcept {
  [&]<int... k>(std::integer_sequence<int, k...>) {
    (void)((distance == 2 * k + 3 ? (visit(std::integral_constant<int, 2 * k + 3>{}), true) : false) || ...);
  }(std::make_integer_sequence<int, 10>{});
}

/// Which kernel computes each layer of `network`, their weights, and what becomes of their sums. Parameters as for Forward, its only user.
template <Network network, Arch A, int fixed_distance, Precision precision>
class PackedNetwork {
 public:
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

  using Element = std::conditional_t<is_int8, Int8<A>,
                                     typename std::conditional_t<precision == Precision::bf16, std::type_identity<BFloat16<A>>,
                                                                 std::type_identity<Float32<A>>>::type>;
  using Stored = typename Element::input;
  using First = FirstLayer<A, network.input_channels, network.out_channels(0), network.layers[0].kernel>;
  using Last = LastLayer<Element, network.in_channels(n_layers - 1), network.output_channels(), network.layers[n_layers - 1].kernel>;
  static constexpr Int8LayerShape last_shape{network.in_channels(n_layers - 1), Last::columns, 1, Last::column_kernel};
  static constexpr auto layer_count = static_cast<std::size_t>(n_layers);
  using Weights = std::conditional_t<is_int8, CalibratedWeights<network>, WeightsView<network>>;

  constexpr int distance() const noexcept { return fixed_distance != 0 ? fixed_distance : distance_; }
  constexpr void set_distance(int distance) noexcept { distance_ = distance; }
  const float* first_weights() const noexcept { return first_weights_.data(); }
  const typename Element::weight* weights(int layer) const noexcept { return weights_[static_cast<std::size_t>(layer)].data(); }
  const float* bias(int layer) const noexcept { return bias_[static_cast<std::size_t>(layer)].data(); }
  const std::uint8_t* delta_weights(int layer) const noexcept { return delta_weights_[static_cast<std::size_t>(layer)].data(); }

  template <int layer, int d>
  using Hidden = DirectConv<Element, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel, d>;
  template <int layer>
  using Delta = DeltaConv<A, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel>;

  /// float32 layers that are wide enough go through fewer multiplications; everything else is direct.
  static constexpr bool is_wide(int layer) noexcept {
    return precision == Precision::fp32 && layer > 0 && network.layers[layer].kernel == 3 && network.in_channels(layer) >= 64 &&
           network.out_channels(layer) >= 64 && network.out_channels(layer) % (2 * A::width) == 0;
  }
  template <int layer, int d>
  static constexpr bool is_winograd() noexcept {
    return is_wide(layer) && winograd_edges(d).space != 0;
  }
  template <int layer, int d>
  using WinogradOf = Winograd<A, winograd_edges(d).time, winograd_edges(d).space, network.in_channels(layer), network.out_channels(layer)>;

  template <class Visit>
  SPINEL_ALWAYS_INLINE void dispatch(Visit&& visit) const noexcept {
    if constexpr (fixed_distance != 0)
      visit(std::integral_constant<int, fixed_distance>{});
    else
      with_distance(distance_, visit);
  }
  template <class Visit>
  static SPINEL_ALWAYS_INLINE void for_each_hidden(Visit&& visit) noexcept {
    [&]<int... layer>(std::integer_sequence<int, layer...>) { (visit.template operator()<layer>(), ...); }(std::make_integer_sequence<int, n_hidden>{});
  }
  constexpr std::size_t sites() const noexcept { return static_cast<std::size_t>(distance()) * static_cast<std::size_t>(distance()); }

  template <int layer>
  auto epilogue() const noexcept {
    constexpr Activation activation = network.layers[layer].activation;
    if constexpr (precision == Precision::fp32)
      return StoreFloat32<A, activation>{bias_[layer].data()};
    else if constexpr (precision == Precision::bf16)
      return StoreBFloat16<A, activation>{bias_[layer].data()};
    else if constexpr (layer == 0)
      return QuantizeFloat<A, activation>{bias_[0].data(), inverse_scales_[0].data(), zeros_[0].data()};
    else
      return Quantize<A, activation>{scales_[layer].data(), offsets_[layer].data(), network.out_channels(layer), inverse_scales_[layer].data(),
                                             zeros_[layer].data()};
  }
  auto share_epilogue() const noexcept {
    if constexpr (is_int8)
      return StoreScaled<A>{scales_[n_layers - 1].data(), offsets_[n_layers - 1].data(), Last::columns};
    else
      return StoreSums<A>{};
  }

  /// Packs `given` into the memory that take_memory found.
  SPINEL_COLD void pack(const Weights& given) noexcept {
    const WeightsView<network>* found = nullptr;
    if constexpr (is_int8) {
      found = &given.view;
      for (int layer = 0; layer < n_hidden; ++layer) given.ranges.order_by_activity(layer, order_[static_cast<std::size_t>(layer)].data());
    } else {
      found = &given;
    }
    const WeightsView<network>& view = *found;
    for (int layer = 0; layer < n_layers; ++layer)
      for (int out = 0; out < network.layers[layer].filters; ++out)
        bias_[static_cast<std::size_t>(layer)][static_cast<std::size_t>(out)] = view.bias[layer][place(layer, out)];
    First::pack([&](int out, int in, int tap) { return weight(view, 0, out, in, tap); }, first_weights_.data());
    if constexpr (is_int8) set_up_scales(view, given.ranges);
    for_each_hidden([&]<int layer>() {
      if constexpr (layer > 0) pack_layer<layer>(view);
    });
    constexpr int l = n_layers - 1;
    dispatch([&](auto d) {
      Last::template pack<decltype(d)::value>(weights_[l].data(), [&](int column, int in, int tap) { return converted(last_weight(view, column, in, tap), l, column, in); });
    });
  }

  template <class AnyArena>
  SPINEL_COLD constexpr void take_memory(AnyArena& arena) noexcept {
    for (int layer = 0; layer < n_layers; ++layer) {
      const auto l = static_cast<std::size_t>(layer);
      const auto in = static_cast<std::size_t>(network.in_channels(layer)), out = static_cast<std::size_t>(network.out_channels(layer));
      constexpr auto columns = static_cast<std::size_t>(Last::columns);
      bias_[l] = arena.template take<float>(out);
      if (layer == 0) {
        first_weights_ = arena.template take<float>(network.weights(0));
      } else if (layer < n_hidden) {
        const auto edges = winograd_edges(distance());
        const std::size_t size = is_wide(layer) && edges.space != 0 ? static_cast<std::size_t>(edges.frequencies()) * in * out : network.weights(layer);
        weights_[l] = arena.template take<typename Element::weight>(size);
        if constexpr (is_int8) delta_weights_[l] = arena.template take<std::uint8_t>(size);
      } else {
        weights_[l] = arena.template take<typename Element::weight>(columns * in * Last::column_kernel * Last::column_kernel);
      }
      if constexpr (is_int8) {
        if (layer < n_hidden) {
          order_[l] = arena.template take<std::int32_t>(out);
          for (auto* values : {&byte_scales_, &inverse_scales_, &zeros_}) (*values)[l] = arena.template take<float>(out);
        }
        if (layer > 0) {
          scales_[l] = arena.template take<float>(layer < n_hidden ? out : columns);
          offsets_[l] = arena.template take<float>(layer < n_hidden ? 64 * out : static_cast<std::size_t>(last_shape.edges()) * columns);
        }
      }
    }
  }

 private:
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
      return bfloat16_of(weight);
    else
      return quantized_weight(weight * byte_scales_[l - 1][static_cast<std::size_t>(in)], scales_[l][static_cast<std::size_t>(column)]);
  }

  template <int layer>
  SPINEL_COLD void pack_layer(const WeightsView<network>& view) noexcept {
    constexpr int in_channels = network.in_channels(layer), out_channels = network.out_channels(layer), kernel = network.layers[layer].kernel;
    dispatch([&](auto d) {
      if constexpr (is_winograd<layer, decltype(d)::value>())
        WinogradOf<layer, decltype(d)::value>::pack(view.weight[layer], weights_[layer].data());
      else
        pack_weights(weights_[layer].data(), in_channels, out_channels, kernel * kernel * kernel, Hidden<layer, decltype(d)::value>::block_channels, Element::group,
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
      const float grid = exact_grid(view.weight[0] + from * (first_weights / first_out), first_weights / first_out);
      for (std::size_t k = out; k < first_weights; k += first_out) first_weights_[k] = spinel::nearbyint(first_weights_[k] / grid) * grid;
    }
    for (int layer = 0; layer < n_hidden; ++layer) {
      const auto l = static_cast<std::size_t>(layer);
      byte_scales(ranges.low[l], ranges.high[l], order_[l].data(), network.out_channels(layer), byte_scales_[l].data(), zeros_[l].data());
      for (std::size_t c = 0; c < byte_scales_[l].size(); ++c) inverse_scales_[l][c] = 1.0f / byte_scales_[l][c];
    }
    const auto scales = [&](const Int8LayerShape& shape, int layer, const float* bias, auto&& weight_of) {
      const auto l = static_cast<std::size_t>(layer);
      int8_scales(shape, weight_of, bias, byte_scales_[l - 1].data(), zeros_[l - 1].data(), scales_[l].data(), offsets_[l].data());
    };
    for (int layer = 1; layer < n_hidden; ++layer) {
      const int kernel = network.layers[layer].kernel;
      scales({network.in_channels(layer), network.out_channels(layer), kernel, kernel}, layer, bias_[static_cast<std::size_t>(layer)].data(),
             [&](int out, int in, int tap) { return weight(view, layer, out, in, tap); });
    }
    scales(last_shape, n_layers - 1, nullptr, [&](int column, int in, int tap) { return last_weight(view, column, in, tap); });
  }

  int distance_ = fixed_distance;
  Span<float> first_weights_{};
  std::array<Span<typename Element::weight>, layer_count> weights_{};
  std::array<Span<float>, layer_count> bias_{};
  std::array<Span<float>, layer_count> byte_scales_{}, inverse_scales_{}, zeros_{}, scales_{}, offsets_{};  // int8 only
  std::array<Span<std::int32_t>, layer_count> order_{};                                                    // int8 only
  std::array<Span<std::uint8_t>, layer_count> delta_weights_{};                                            // int8 only
};

}  // namespace spinel::detail
