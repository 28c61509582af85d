// SPDX-License-Identifier: Apache-2.0
// Test helpers: the reference vectors and the published checkpoint, which lie beside the repository and not in it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <spinel/io/npy.hpp>
#include <string>
#include <vector>

namespace spinel::test {

inline const std::filesystem::path golden_folder = std::filesystem::path(SPINEL_SHARED_DIR) / "golden";
inline const std::filesystem::path checkpoint =
    std::filesystem::path(SPINEL_SHARED_DIR) / "models" / "ising_decoder_surface_code_1_fast_r9_v1.0.77_fp16.safetensors";

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

template <class T>
struct GoldenArray {
  std::vector<std::size_t> shape;
  std::vector<T> values;
};

template <class T>
GoldenArray<T> read_golden(const std::filesystem::path& path, const std::string& type) {
  const auto bytes = read_file(path);
  std::string error;
  const auto array = io::read_npy(bytes, error);
  EXPECT_TRUE(array) << path << ": " << error;
  EXPECT_EQ(array->type, type) << path;
  GoldenArray<T> out{array->shape, std::vector<T>(array->bytes.size() / sizeof(T))};
  std::memcpy(out.values.data(), array->bytes.data(), out.values.size() * sizeof(T));
  return out;
}

/// The evaluation points d{D}_T{T}_{basis}_p{p}_{orientation}.
inline std::vector<std::filesystem::path> golden_points() {
  std::vector<std::filesystem::path> points;
  if (std::filesystem::exists(golden_folder))
    for (const auto& entry : std::filesystem::directory_iterator(golden_folder))
      if (std::filesystem::exists(entry.path() / "logits.npy")) points.push_back(entry.path());
  std::sort(points.begin(), points.end());
  return points;
}

}  // namespace spinel::test
