// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, version 1.0, C order: what the golden vectors are stored in and what --logits_out writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <spinel/core/status.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace spinel::io {

/// A checked view of an array file: `type` is NumPy's descriptor such as "<f4" or "|u1".
struct NpyArray {
  std::string type;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

/// Parses the header and checks that exactly the shape's bytes follow.
inline Result<NpyArray> read_npy(std::span<const std::byte> bytes, std::string& error) {
  const auto complain = [&](const char* what) {
    error = what;
    return Status::bad_format;
  };
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (text.size() < 10 || text.substr(0, 6) != std::string_view("\x93NUMPY", 6)) return complain("the file does not begin with the .npy magic");
  if (text[6] != 1) return complain("only version 1 of the .npy format is read");
  const std::size_t header = static_cast<unsigned char>(text[8]) + 256u * static_cast<unsigned char>(text[9]);
  if (text.size() < 10 + header) return complain("the file ends inside its .npy header");
  const std::string_view dictionary = text.substr(10, header);
  NpyArray array;
  const auto descr = dictionary.find("'descr': '");
  if (descr == std::string_view::npos) return complain("the .npy header has no simple 'descr'");
  const auto type_end = dictionary.find('\'', descr + 10);
  if (type_end == std::string_view::npos) return complain("the .npy header's 'descr' does not end");
  array.type = dictionary.substr(descr + 10, type_end - descr - 10);
  if (array.type.size() != 3 || array.type[2] < '1' || array.type[2] > '8') return complain("the .npy element type is not a plain number of 1 to 8 bytes");
  if (dictionary.find("'fortran_order': False") == std::string_view::npos) return complain("the .npy array is not in C order");
  auto at = dictionary.find("'shape': (");
  if (at == std::string_view::npos) return complain("the .npy header has no 'shape'");
  std::size_t need = static_cast<std::size_t>(array.type[2] - '0');
  for (at += 10; at < dictionary.size() && dictionary[at] != ')'; ++at) {
    if (dictionary[at] < '0' || dictionary[at] > '9') continue;
    std::size_t size = 0;
    for (; at < dictionary.size() && dictionary[at] >= '0' && dictionary[at] <= '9'; ++at) {
      if (size > SIZE_MAX / 16) return complain("the .npy shape overflows");
      size = size * 10 + static_cast<std::size_t>(dictionary[at] - '0');
    }
    array.shape.push_back(size);
    if (size != 0 && need > SIZE_MAX / size) return complain("the .npy shape overflows");
    need *= size;
    --at;
  }
  array.bytes = bytes.subspan(10 + header);
  if (array.bytes.size() != need) return complain("the .npy data is not as long as its shape says");
  return array;
}

/// The header of a C-order array, padded so that the data begin at a multiple of 64.
inline std::string npy_header(std::string_view type, std::span<const std::size_t> shape) {
  std::string dictionary = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (const std::size_t size : shape) dictionary += std::to_string(size) + ", ";
  dictionary += "), }";
  dictionary.resize((10 + dictionary.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() & 0xFFu);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

}  // namespace spinel::io
