// SPDX-License-Identifier: Apache-2.0
// Reads safetensors files: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes. Everything the header
// says is checked against the bytes; a failure says which tensor or which byte and what was expected.
// Layer names follow the surface-code pre-decoder checkpoints: net.{0,3,6,...}.weight and .bias.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include <spinel/core/status.hpp>
#include <spinel/nn/network.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spinel::io {

enum class ElementType : std::uint8_t { f16, bf16, f32 };

constexpr std::uint64_t element_bytes(ElementType type) noexcept { return type == ElementType::f32 ? 4 : 2; }

struct TensorEntry {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;
  std::uint64_t elements() const noexcept { return bytes.size() / element_bytes(type); }
};

/// A checked safetensors file; the tensors view the bytes that were read.
struct SafeTensors {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<TensorEntry> tensors;
  const TensorEntry* find(std::string_view name) const noexcept {
    for (const auto& tensor : tensors)
      if (tensor.name == name) return &tensor;
    return nullptr;
  }
  const std::string* find_metadata(std::string_view key) const noexcept {
    for (const auto& entry : metadata)
      if (entry.first == key) return &entry.second;
    return nullptr;
  }
};

namespace detail {

/// The part of JSON that a safetensors header uses: objects of strings, integers and integer lists.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string& error) noexcept : text_(text), error_(error) {}

  bool fail(const std::string& what) {
    if (error_.empty()) error_ = "header byte " + std::to_string(at_) + ": " + what;
    return false;
  }
  void skip_space() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }
  bool peek(char c) noexcept {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) noexcept {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  bool expect(char c) { return accept(c) || fail(std::string("expected '") + c + "'"); }
  bool at_end() noexcept {
    skip_space();
    return at_ == text_.size();
  }
  bool string(std::string& out) {
    if (!expect('"')) return false;
    out.clear();
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto c = static_cast<unsigned char>(text_[at_++]);
      if (c < 0x20) return fail("control character inside a string");
      if (c != '\\') {
        out += static_cast<char>(c);
        continue;
      }
      if (at_ >= text_.size()) break;
      const char escape = text_[at_++];
      constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
      if (const auto k = from.find(escape); k != std::string_view::npos)
        out += to[k];
      else if (escape == 'u')
        out += "?", at_ = std::min(at_ + 4, text_.size());  // names and values we look for are ASCII
      else
        return fail("unknown escape in a string");
    }
    return expect('"');
  }
  bool integer(std::uint64_t& out) {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '-') return fail("a negative number where a size or an offset is expected");
    const std::size_t start = at_;
    out = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
      if (out > (UINT64_MAX - digit) / 10) return fail("a number above 2^64");
      out = out * 10 + digit;
    }
    if (at_ == start) return fail("expected a non-negative integer");
    if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) return fail("expected an integer, found a fraction");
    return true;
  }
  bool integers(std::vector<std::uint64_t>& out) {
    out.clear();
    if (!expect('[')) return false;
    if (accept(']')) return true;
    do {
      std::uint64_t value = 0;
      if (!integer(value)) return false;
      out.push_back(value);
    } while (accept(','));
    return expect(']');
  }
  /// `{"key": <visit(key)>, ...}`
  template <class Visit>
  bool object(Visit&& visit) {
    if (!expect('{')) return false;
    if (accept('}')) return true;
    do {
      std::string key;
      if (!string(key) || !expect(':') || !visit(key)) return false;
    } while (accept(','));
    return expect('}');
  }

 private:
  std::string_view text_;
  std::string& error_;
  std::size_t at_ = 0;
};

inline float float_of_f16(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1Fu, fraction = bits & 0x3FFu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

inline std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (std::size_t k = 0; k < shape.size(); ++k) text.append(k == 0 ? "" : ", ").append(std::to_string(shape[k]));
  return text + "]";
}

}  // namespace detail

/// Checks and indexes a whole file. On failure `error` names the place, and the status is bad_format or unsupported.
inline Result<SafeTensors> read_safetensors(std::span<const std::byte> bytes, std::string& error) {
  error.clear();
  if (bytes.size() < 8) {
    error = "the file has " + std::to_string(bytes.size()) + " bytes; a safetensors file begins with an 8-byte header length";
    return Status::bad_format;
  }
  std::uint64_t header_bytes = 0;
  for (std::size_t k = 0; k < 8; ++k) header_bytes |= std::to_integer<std::uint64_t>(bytes[k]) << (8 * k);
  if (header_bytes > bytes.size() - 8) {
    error = "the header is said to be " + std::to_string(header_bytes) + " bytes long, but only " + std::to_string(bytes.size() - 8) + " bytes follow";
    return Status::bad_format;
  }
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(header_bytes)};
  const auto data = bytes.subspan(8 + static_cast<std::size_t>(header_bytes));
  SafeTensors file;
  struct Range {
    std::uint64_t begin, end;
    std::size_t tensor;
  };
  std::vector<Range> ranges;
  Status status = Status::bad_format;
  detail::HeaderReader reader{text, error};
  const auto read_tensor = [&](const std::string& name) {
    const auto complain = [&](const std::string& what) {
      error = "tensor '" + name + "': " + what;
      return false;
    };
    if (file.find(name) != nullptr) return complain("its name appears twice");
    TensorEntry tensor;
    tensor.name = name;
    std::string type;
    std::vector<std::uint64_t> offsets;
    bool has_shape = false;
    if (!reader.object([&](const std::string& key) {
          if (key == "dtype") return reader.string(type);
          if (key == "shape") return has_shape = true, reader.integers(tensor.shape);
          if (key == "data_offsets") return reader.integers(offsets);
          return complain("unknown field '" + key + "'");
        })) {
      if (error.rfind("tensor", 0) != 0) error = "tensor '" + name + "': " + error;
      return false;
    }
    if (type == "F16")
      tensor.type = ElementType::f16;
    else if (type == "BF16")
      tensor.type = ElementType::bf16;
    else if (type == "F32")
      tensor.type = ElementType::f32;
    else {
      status = Status::unsupported;
      return complain("its dtype is '" + type + "'; F16, BF16 and F32 are read");
    }
    if (!has_shape) return complain("it has no shape");
    if (offsets.size() != 2) return complain("data_offsets must be two numbers");
    if (offsets[0] > offsets[1]) return complain("it ends before it begins");
    if (offsets[1] > data.size())
      return complain("it ends at byte " + std::to_string(offsets[1]) + " of the data, which has " + std::to_string(data.size()) + " bytes");
    std::uint64_t need = element_bytes(tensor.type);
    for (const std::uint64_t size : tensor.shape) {
      if (size != 0 && need > UINT64_MAX / size) return complain("its shape " + detail::shape_text(tensor.shape) + " overflows");
      need *= size;
    }
    if (need != offsets[1] - offsets[0])
      return complain("shape " + detail::shape_text(tensor.shape) + " of " + type + " takes " + std::to_string(need) + " bytes, its offsets hold " +
                      std::to_string(offsets[1] - offsets[0]));
    tensor.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[1] - offsets[0]));
    ranges.push_back({offsets[0], offsets[1], file.tensors.size()});
    file.tensors.push_back(std::move(tensor));
    return true;
  };
  const bool read = reader.object([&](const std::string& name) {
    if (name != "__metadata__") return read_tensor(name);
    return reader.object([&](const std::string& key) {
      std::string value;
      if (!reader.string(value)) return false;
      file.metadata.emplace_back(key, value);
      return true;
    });
  });
  if (!read) return status;
  if (!reader.at_end()) return reader.fail("expected the end of the header"), Status::bad_format;
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.begin != covered) {
      error = "tensor '" + file.tensors[range.tensor].name + "' begins at byte " + std::to_string(range.begin) + " of the data, but byte " +
              std::to_string(covered) + " is expected: tensors must neither overlap nor leave gaps";
      return Status::bad_format;
    }
    covered = range.end;
  }
  if (covered != data.size()) {
    error = "the tensors end at byte " + std::to_string(covered) + " of the data, which has " + std::to_string(data.size()) + " bytes";
    return Status::bad_format;
  }
  return file;
}

/// Widens a tensor to float32. A NaN or an infinity fails with not_finite and names its index.
inline Result<std::vector<float>> tensor_floats(const TensorEntry& tensor, std::string& error) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto byte = [&](std::size_t b) { return std::to_integer<std::uint32_t>(tensor.bytes[k * static_cast<std::size_t>(element_bytes(tensor.type)) + b]); };
    const std::uint32_t low = byte(0) | byte(1) << 8;
    if (tensor.type == ElementType::f16)
      values[k] = detail::float_of_f16(static_cast<std::uint16_t>(low));
    else if (tensor.type == ElementType::bf16)
      values[k] = std::bit_cast<float>(low << 16);
    else
      values[k] = std::bit_cast<float>(low | byte(2) << 16 | byte(3) << 24);
    if (!std::isfinite(values[k])) {
      error = "tensor '" + tensor.name + "': element " + std::to_string(k) + " is NaN or infinite";
      return Status::not_finite;
    }
  }
  return values;
}

/// The weights of a chain of convolutions in plain float32, as read from a file.
struct LoadedNetwork {
  Network network{};
  std::vector<std::vector<float>> weights;  ///< per layer [out][in][kt][kh][kw]
  std::vector<std::vector<float>> biases;   ///< per layer [out]
};

/// Reads net.0, net.3, net.6, ... as layers. The files do not store the activation: it is `activation` after all layers but the last.
inline Result<LoadedNetwork> read_network(std::span<const std::byte> bytes, Activation activation, std::string& error) {
  auto read = read_safetensors(bytes, error);
  if (!read) return read.status;
  const SafeTensors& file = *read;
  LoadedNetwork loaded;
  std::size_t used = 0;
  const auto complain = [&](Status status, const std::string& what) {
    error = what;
    return status;
  };
  for (int l = 0;; ++l) {
    const std::string prefix = "net." + std::to_string(3 * l);
    const TensorEntry* weight = file.find(prefix + ".weight");
    const TensorEntry* bias = file.find(prefix + ".bias");
    if (weight == nullptr && bias == nullptr) break;
    const std::string layer = "layer " + std::to_string(l) + " (" + prefix + ")";
    if (weight == nullptr || bias == nullptr) return complain(Status::bad_shape, layer + ": its weight or its bias is missing");
    if (l == Network::max_layers) return complain(Status::out_of_capacity, "the file has more than " + std::to_string(Network::max_layers) + " layers");
    const auto& shape = weight->shape;
    if (shape.size() != 5 || shape[2] != shape[3] || shape[3] != shape[4])
      return complain(Status::bad_shape, layer + ": weight shape " + detail::shape_text(shape) + " is not [out, in, k, k, k]");
    if (shape[0] < 1 || shape[0] > 4096 || shape[1] < 1 || shape[1] > 4096 || shape[2] % 2 == 0 || shape[2] > 15)
      return complain(Status::bad_shape, layer + ": weight shape " + detail::shape_text(shape) + " has a size out of range (k must be odd)");
    if (bias->shape != std::vector<std::uint64_t>{shape[0]})
      return complain(Status::bad_shape, layer + ": bias shape " + detail::shape_text(bias->shape) + ", expected [" + std::to_string(shape[0]) + "]");
    Network& network = loaded.network;
    if (l == 0)
      network.input_channels = static_cast<int>(shape[1]);
    else if (static_cast<int>(shape[1]) != network.layers[l - 1].filters)
      return complain(Status::bad_shape, layer + ": " + std::to_string(shape[1]) + " input channels after a layer of " +
                                             std::to_string(network.layers[l - 1].filters) + " filters");
    network.layers[l] = {static_cast<int>(shape[0]), static_cast<int>(shape[2]), activation};
    network.n_layers = l + 1;
    auto weights = tensor_floats(*weight, error);
    if (!weights) return weights.status;
    auto biases = tensor_floats(*bias, error);
    if (!biases) return biases.status;
    loaded.weights.push_back(std::move(*weights));
    loaded.biases.push_back(std::move(*biases));
    used += 2;
  }
  if (used == 0) return complain(Status::bad_shape, "the file has no tensor net.0.weight: it is not a surface-code pre-decoder");
  if (used != file.tensors.size())
    for (const auto& tensor : file.tensors) {
      const bool known = tensor.name.rfind("net.", 0) == 0;
      if (!known || used != file.tensors.size()) return complain(Status::bad_shape, "the file has tensors, such as '" + tensor.name + "', that belong to no layer net.{0,3,6,...}");
    }
  loaded.network.layers[loaded.network.n_layers - 1].activation = Activation::none;
  if (const std::string* filters = file.find_metadata("num_filters")) {
    std::vector<std::uint64_t> listed, found;
    std::string ignored;
    detail::HeaderReader reader{*filters, ignored};
    for (int l = 0; l < loaded.network.n_layers; ++l) found.push_back(static_cast<std::uint64_t>(loaded.network.layers[l].filters));
    if (!reader.integers(listed) || listed != found)
      return complain(Status::bad_shape, "metadata num_filters is " + *filters + ", but the tensors have " + detail::shape_text(found));
  }
  return loaded;
}

}  // namespace spinel::io
