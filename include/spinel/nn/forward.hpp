// SPDX-License-Identifier: Apache-2.0
// A network over any number of rounds in constant memory: rounds enter in passes of at most `pass_rounds`, every layer goes as
// far as its input allows and keeps the last kernel - 1 rounds for the next pass.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <spinel/core/arena.hpp>
#include <spinel/core/status.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/weights.hpp>
#include <tuple>
#include <utility>

namespace spinel {

namespace detail {

/// Counts what an Arena would hand out, in constant expressions too.
struct CountingArena {
  std::size_t used = 0;
  template <class T>
  constexpr std::span<T> take(std::size_t count) noexcept {
    used += (count * sizeof(T) + Arena::alignment - 1) / Arena::alignment * Arena::alignment;
    return {};
  }
};

/// A sliding range of rounds of one layer's input.
template <class T>
struct RoundBuffer {
  std::span<T> memory{};
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

/// Runs `network` in float32 on instruction set A. `fixed_distance` is the width and height of the volume at compile time, or 0
/// for any odd distance from 3 to 21 chosen at set-up. All memory is handed in once.
template <Network network, Arch A, int fixed_distance = 0>
class Forward {
  static constexpr int n_layers = network.n_layers;
  static constexpr int n_hidden = n_layers - 1;
  static_assert(network.valid(), "the network has no layers, or a layer without filters or with an even kernel");
  static_assert(n_layers >= 2, "the network needs at least one hidden layer");
  static_assert(network.layers[n_layers - 1].activation == Activation::none, "the last layer gives logits: it has no activation");
  using Element = detail::Float32<A>;
  using Last = detail::NarrowConv<Element, network.in_channels(n_layers - 1), network.output_channels(), network.layers[n_layers - 1].kernel>;

 public:
  static constexpr int pass_rounds = 16;
  static constexpr int input_channels = network.input_channels;
  static constexpr int output_channels = network.output_channels();

  /// Bytes that `set_up` needs for this distance, whatever the number of rounds.
  static constexpr std::size_t memory_bytes(int distance) noexcept {
    Forward counting;
    counting.distance_ = distance;
    detail::CountingArena arena;
    counting.take_memory(arena);
    return arena.used + Arena::alignment;
  }

  /// Packs the weights into `memory`. Fails with bad_argument for a distance that this engine does not serve, and with
  /// out_of_capacity when `memory` is smaller than `memory_bytes(distance)`.
  Status set_up(const WeightsView<network>& weights, int distance, std::span<std::byte> memory) noexcept {
    if (distance < detail::smallest_distance || distance > detail::largest_distance || distance % 2 == 0) return Status::bad_argument;
    if (fixed_distance != 0 && distance != fixed_distance) return Status::bad_argument;
    if (memory.size() < memory_bytes(distance)) return Status::out_of_capacity;
    distance_ = distance;
    Arena arena{memory};
    take_memory(arena);
    for_each_hidden([&]<int layer>() {
      dispatch([&](auto d) {
        using Conv = Hidden<layer, decltype(d)::value>;
        detail::pack_weights(weights.weight[layer], weights_[layer].data(), network.in_channels(layer), network.out_channels(layer),
                             network.layers[layer].kernel, Conv::block_channels, Element::group);
      });
    });
    Last::pack(weights.weight[n_layers - 1], weights_[n_layers - 1].data());
    for (int l = 0; l < n_layers; ++l) std::copy_n(weights.bias[l], network.out_channels(l), bias_[static_cast<std::size_t>(l)].data());
    return Status::ok;
  }

  /// One volume of `rounds` >= 1 rounds. `input(t, slice)` fills slice [row][column][input channel] of round t, ascending;
  /// `output(t, slice)` gets [row][column][output channel]. `watch(layer, t, slice)` sees every hidden layer's activations.
  template <class Input, class Output, class Watch>
  void run(int rounds, Input&& input, Output&& output, Watch&& watch) noexcept {
    for (auto& buffer : buffers_) buffer.reset();
    product_.reset();
    int done[static_cast<std::size_t>(n_layers)]{};
    const auto reachable = [&](int layer, int available) {
      return available == rounds ? rounds : std::max(done[layer], available - network.layers[layer].kernel / 2);
    };
    for (int t0 = 0; t0 < rounds; t0 += pass_rounds) {
      auto& first = buffers_[0];
      first.drop_below(done[0] - network.layers[0].kernel / 2);
      for (; first.end < std::min(rounds, t0 + pass_rounds); ++first.end) input(first.end, first.at(first.end));
      for_each_hidden([&]<int layer>() {
        auto& in = buffers_[layer];
        const int end = reachable(layer, in.end);
        float* out = nullptr;
        if constexpr (layer + 1 < n_hidden) {
          auto& next = buffers_[layer + 1];
          next.drop_below(done[layer + 1] - network.layers[layer + 1].kernel / 2);
          out = next.at(next.end);
        } else {
          out = last_.data();
        }
        const detail::StoreFloat32<A, network.layers[layer].activation> epilogue{bias_[layer].data()};
        dispatch([&](auto d) {
          Hidden<layer, decltype(d)::value>::rounds(in.at(done[layer]), weights_[layer].data(), epilogue, out, done[layer], end, rounds);
        });
        const std::size_t round_size = sites() * static_cast<std::size_t>(network.out_channels(layer));
        for (int t = done[layer]; t < end; ++t) watch(layer, t, static_cast<const float*>(out + static_cast<std::size_t>(t - done[layer]) * round_size));
        if constexpr (layer + 1 < n_hidden) {
          buffers_[layer + 1].end = end;
        } else {
          constexpr int l = n_layers - 1;
          product_.drop_below(done[l] - network.layers[l].kernel / 2);
          Last::products(out, weights_[l].data(), detail::StoreSums<A>{}, product_.at(product_.end), static_cast<std::ptrdiff_t>(sites()) * (end - done[layer]));
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
  using Hidden = detail::DirectConv<Element, network.in_channels(layer), network.out_channels(layer), network.layers[layer].kernel, d>;

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

  template <class AnyArena>
  constexpr void take_memory(AnyArena& arena) noexcept {
    int lag = 0;  // rounds that the layers before this one still owe when a pass ends; they all come in the last pass
    for (int l = 0; l < n_layers; ++l) {
      const int kernel = network.layers[l].kernel;
      const auto capacity = static_cast<std::size_t>(pass_rounds + lag + kernel);
      const auto index = static_cast<std::size_t>(l);
      bias_[index] = arena.template take<float>(static_cast<std::size_t>(network.out_channels(l)));
      if (l < n_hidden) {
        weights_[index] = arena.template take<float>(network.weights(l));
        const std::size_t round_size = sites() * static_cast<std::size_t>(network.in_channels(l));
        buffers_[index] = {arena.template take<float>(capacity * round_size), round_size};
      } else {
        weights_[index] = arena.template take<float>(static_cast<std::size_t>(Last::columns) * static_cast<std::size_t>(network.in_channels(l)));
        const std::size_t round_size = sites() * static_cast<std::size_t>(Last::columns);
        product_ = {arena.template take<float>(capacity * round_size), round_size};
        last_ = arena.template take<float>(static_cast<std::size_t>(pass_rounds + lag) * sites() * static_cast<std::size_t>(network.in_channels(l)));
      }
      lag += kernel / 2;
    }
    slice_ = arena.template take<float>(sites() * static_cast<std::size_t>(output_channels));
  }

  // == Permanent: fixed at set-up ==
  int distance_ = fixed_distance;
  std::array<std::span<float>, static_cast<std::size_t>(n_layers)> weights_{};
  std::array<std::span<float>, static_cast<std::size_t>(n_layers)> bias_{};

  // == Per volume: cleared by run() ==
  std::array<detail::RoundBuffer<float>, static_cast<std::size_t>(n_hidden)> buffers_{};
  detail::RoundBuffer<float> product_{};
  std::span<float> last_{};
  std::span<float> slice_{};
};

}  // namespace spinel
