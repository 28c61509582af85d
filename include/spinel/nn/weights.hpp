// SPDX-License-Identifier: Apache-2.0
// The weights blob: a flat little-endian file that is checked once and then viewed in place, with no copy and no heap.
// Between the files of io/ and the packing for a kernel; written by the project, byte layout beside `detail::magic`.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/checksum.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/nn/network.hpp>

namespace spinel {

/// Where a blob and what was expected of it disagree; `what` is a static English text, `layer` is -1 outside the layers.
struct BlobCheck {
  Status status = Status::ok;
  int layer = -1;
  const char* what = "";
  constexpr explicit operator bool() const noexcept { return status == Status::ok; }
};

namespace detail::blob {

// offset 0   8 bytes  "SPNLWTS1"
// 8          u32      number of layers L
// 12         u32      input channels
// 16         u64      bytes of the whole blob
// 24..59              zero
// 60         u32      CRC-32 of all other bytes (0..59, then 64..end)
// 64         L records of 64 bytes: u32 in, out, kernel, activation; u64 offset of the weights, of the bias; 32 zero bytes
// then       float32 arrays, each at a multiple of 64: weights [out][in][kt][kh][kw], bias [out]
inline constexpr char magic[9] = "SPNLWTS1";
inline constexpr std::size_t header_bytes = 64;
inline constexpr std::size_t record_bytes = 64;
inline constexpr std::size_t alignment = 64;

template <class T>
T read(Span<const std::byte> bytes, std::size_t offset) noexcept {
  T value = 0;
  for (std::size_t k = 0; k < sizeof(T); ++k)
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(bytes[offset + k]) << (8 * k)));
  return value;
}

inline std::uint32_t checksum(Span<const std::byte> bytes) noexcept {
  return crc32(bytes.subspan(header_bytes), crc32(bytes.first(60)));
}

}  // namespace detail::blob

/// Reads the shape of the network from a blob whose header, size and checksum are right.
inline BlobCheck network_of_blob(Span<const std::byte> bytes, Network& network) noexcept {
  namespace blob = detail::blob;
  if (bytes.size() < blob::header_bytes) return {Status::bad_format, -1, "the weights blob is shorter than its 64-byte header"};
  if (std::memcmp(bytes.data(), blob::magic, 8) != 0) return {Status::bad_format, -1, "the weights blob does not begin with SPNLWTS1"};
  if (blob::read<std::uint64_t>(bytes, 16) != bytes.size())
    return {Status::bad_format, -1, "the weights blob is not as long as its header says"};
  const auto n_layers = blob::read<std::uint32_t>(bytes, 8);
  const auto input_channels = blob::read<std::uint32_t>(bytes, 12);
  if (n_layers < 1 || n_layers > static_cast<std::uint32_t>(Network::max_layers) || input_channels < 1 || input_channels > 4096)
    return {Status::bad_format, -1, "the weights blob's layer or channel count is out of range"};
  if (bytes.size() < blob::header_bytes + n_layers * blob::record_bytes)
    return {Status::bad_format, -1, "the weights blob ends inside its layer table"};
  if (blob::read<std::uint32_t>(bytes, 60) != blob::checksum(bytes))
    return {Status::bad_checksum, -1, "the weights blob's checksum is wrong: its bytes changed since it was written"};
  Network found{};
  found.n_layers = static_cast<int>(n_layers);
  found.input_channels = static_cast<int>(input_channels);
  for (std::size_t l = 0; l < n_layers; ++l) {
    const std::size_t at = blob::header_bytes + l * blob::record_bytes;
    const int layer = static_cast<int>(l);
    const auto in = blob::read<std::uint32_t>(bytes, at), out = blob::read<std::uint32_t>(bytes, at + 4);
    const auto kernel = blob::read<std::uint32_t>(bytes, at + 8), activation = blob::read<std::uint32_t>(bytes, at + 12);
    if (out < 1 || out > 4096 || kernel < 1 || kernel > 15 || kernel % 2 == 0 || activation > 3)
      return {Status::bad_format, layer, "a layer's filters, kernel or activation is out of range"};
    found.layers[l] = {static_cast<int>(out), static_cast<int>(kernel), static_cast<Activation>(activation)};
    if (static_cast<std::uint32_t>(found.in_channels(layer)) != in)
      return {Status::bad_shape, layer, "a layer's input channels differ from the previous layer's filters"};
    const auto inside = [&](std::uint64_t offset, std::uint64_t floats) {
      return offset % blob::alignment == 0 && offset <= bytes.size() && floats <= (bytes.size() - offset) / 4;
    };
    if (!inside(blob::read<std::uint64_t>(bytes, at + 16), found.weights(layer)) || !inside(blob::read<std::uint64_t>(bytes, at + 24), out))
      return {Status::bad_format, layer, "a layer's weights or bias lie outside the blob or are not 64-byte aligned"};
  }
  network = found;
  return {};
}

/// Non-owning view of the weights of `network`: per layer, weights [out][in][kt][kh][kw] and bias [out], float32.
template <Network network>
struct WeightsView {
  static_assert(network.valid(), "the network has no layers, or a layer without filters or with an even kernel");
  const float* weight[static_cast<std::size_t>(network.n_layers)]{};
  const float* bias[static_cast<std::size_t>(network.n_layers)]{};

  /// Says why `bytes` cannot serve this network: the layer and a text. The activation must agree as well.
  static BlobCheck check(Span<const std::byte> bytes, WeightsView& view) noexcept {
    static_assert(std::endian::native == std::endian::little, "the weights blob is viewed in place on little-endian machines only");
    Network found{};
    if (const BlobCheck seen = network_of_blob(bytes, found); !seen) return seen;
    if (found.n_layers != network.n_layers) return {Status::bad_shape, -1, "the weights have another number of layers than the network"};
    if (found.input_channels != network.input_channels)
      return {Status::bad_shape, 0, "the weights have another number of input channels than the network"};
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % detail::blob::alignment != 0)
      return {Status::bad_argument, -1, "the weights blob must lie at an address that is a multiple of 64"};
    WeightsView seen{};
    for (int l = 0; l < network.n_layers; ++l) {
      if (found.layers[l].filters != network.layers[l].filters) return {Status::bad_shape, l, "a layer has another number of filters than the network's"};
      if (found.layers[l].kernel != network.layers[l].kernel) return {Status::bad_shape, l, "a layer has another kernel than the network's"};
      if (found.layers[l].activation != network.layers[l].activation) return {Status::bad_shape, l, "a layer has another activation than the network's"};
      const std::size_t at = detail::blob::header_bytes + static_cast<std::size_t>(l) * detail::blob::record_bytes;
      const auto view_floats = [&](std::size_t field) {
        return reinterpret_cast<const float*>(bytes.data() + detail::blob::read<std::uint64_t>(bytes, at + field));
      };
      seen.weight[l] = view_floats(16);
      seen.bias[l] = view_floats(24);
      for (std::size_t k = 0; k < network.weights(l); ++k)
        if (!spinel::isfinite(seen.weight[l][k])) return {Status::not_finite, l, "a weight is NaN or infinite"};
      for (int k = 0; k < network.layers[l].filters; ++k)
        if (!spinel::isfinite(seen.bias[l][k])) return {Status::not_finite, l, "a bias is NaN or infinite"};
    }
    view = seen;
    return {};
  }

  static Result<WeightsView> from_bytes(Span<const std::byte> bytes) noexcept {
    WeightsView view{};
    if (const BlobCheck seen = check(bytes, view); !seen) return seen.status;
    return view;
  }
};

}  // namespace spinel
