// SPDX-License-Identifier: Apache-2.0
// Weights files: what is written reads back; what is broken is refused with the place named.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <spinel/core/checksum.hpp>
#include <spinel/nn/weights.hpp>
#include <string>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr Network tiny = plain_network(1, 16, 3);

std::vector<std::byte> safetensors(const std::string& header, std::size_t data_bytes) {
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  for (std::size_t k = 0; k < 8; ++k) bytes[k] = static_cast<std::byte>(header.size() >> (8 * k));
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string error_of(const std::string& header, std::size_t data_bytes, Status expected = Status::bad_format) {
  std::string error;
  const auto bytes = safetensors(header, data_bytes);
  EXPECT_EQ(io::read_safetensors(bytes, error).status, expected) << header;
  return error;
}

TEST(Checksum, IsTheCommonCrc32) {
  const char text[] = "123456789";
  const auto bytes = std::as_bytes(std::span(text).first(9));
  EXPECT_EQ(crc32(bytes), 0xCBF43926u);
  EXPECT_EQ(crc32(bytes.subspan(4), crc32(bytes.first(4))), 0xCBF43926u);
}

TEST(SafeTensors, NamesThePlaceOfEveryFault) {
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << " does not mention: " << part;
  };
  std::string error;
  EXPECT_EQ(io::read_safetensors(std::vector<std::byte>(5), error).status, Status::bad_format);
  contains(error, "5 bytes");
  std::vector<std::byte> huge(16, std::byte{0xFF});
  EXPECT_EQ(io::read_safetensors(huge, error).status, Status::bad_format);
  contains(error, "18446744073709551615");
  contains(error_of("[]", 0), "expected '{'");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8), "expected '}'");
  contains(error_of(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8, Status::unsupported), "'F64'");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", 12), "takes 8 bytes");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}})", 8), "ends at byte 16");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "ends before it begins");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", 8), "negative");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}})", 8), "overflows");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), "neither overlap");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), "'a' begins at byte 4");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "twice");
  contains(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9), "9 bytes");
  contains(error_of(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), "no shape");
}

TEST(SafeTensors, EveryTruncationIsRefused) {
  const auto whole = safetensors(R"({"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})", 8);
  std::string error;
  ASSERT_TRUE(io::read_safetensors(whole, error)) << error;
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(io::read_safetensors(std::span(whole).first(size), error)) << size;
}

TEST(SafeTensors, WidensHalfPrecisionExactly) {
  std::string error;
  auto bytes = safetensors(R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})", 8);
  const std::uint16_t halves[4] = {0x3C00, 0xC100, 0x0001, 0x7BFF};  // 1, -2.5, the smallest subnormal, 65504
  std::memcpy(bytes.data() + bytes.size() - 8, halves, 8);
  auto values = io::tensor_floats(io::read_safetensors(bytes, error)->tensors[0], error);
  ASSERT_TRUE(values) << error;
  EXPECT_EQ(*values, (std::vector<float>{1.0f, -2.5f, 0x1p-24f, 65504.0f}));
  bytes.back() = std::byte{0x7C};  // infinity
  bytes[bytes.size() - 2] = std::byte{0};
  EXPECT_EQ(io::tensor_floats(io::read_safetensors(bytes, error)->tensors[0], error).status, Status::not_finite);
  EXPECT_NE(error.find("element 3"), std::string::npos) << error;
}

TEST(SafeTensors, LayersMustFitTogether) {
  std::string error;
  const auto layer = [](int index, int out, int in, std::size_t& at) {
    const auto entry = [&](const char* what, const std::string& shape, int count) {
      const std::size_t begin = at;
      at += 2 * static_cast<std::size_t>(count);
      return std::string("\"net.") + std::to_string(index) + "." + what + "\":{\"dtype\":\"BF16\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(at) + "]}";
    };
    return entry("bias", std::string("[") + std::to_string(out) + "]", out) + "," +
           entry("weight", std::string("[") + std::to_string(out) + "," + std::to_string(in) + ",3,3,3]", out * in * 27);
  };
  std::size_t at = 0;
  std::string header = std::string("{") + layer(0, 8, 4, at) + "," + layer(3, 4, 8, at) + "}";
  const auto loaded = io::read_network(safetensors(header, at), Activation::relu, error);
  ASSERT_TRUE(loaded) << error;
  EXPECT_EQ(loaded->network, plain_network(1, 8, 3, Activation::relu));
  at = 0;
  header = std::string("{") + layer(0, 8, 4, at) + "," + layer(3, 4, 9, at) + "}";
  EXPECT_EQ(io::read_network(safetensors(header, at), Activation::relu, error).status, Status::bad_shape);
  EXPECT_NE(error.find("layer 1 (net.3)"), std::string::npos) << error;
}

TEST(WeightsBlob, IsViewedInPlace) {
  const auto loaded = test::random_network(tiny, 3);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto view = WeightsView<tiny>::from_bytes(blob.span());
  ASSERT_TRUE(view);
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view->weight[l]) % 64, 0u);
    EXPECT_TRUE(std::equal(loaded.weights[l].begin(), loaded.weights[l].end(), view->weight[l]));
    EXPECT_TRUE(std::equal(loaded.biases[l].begin(), loaded.biases[l].end(), view->bias[l]));
  }
}

TEST(WeightsBlob, EveryChangedByteAndEveryTruncationIsRefused) {
  const test::AlignedBytes blob{io::weights_blob(test::random_network(tiny, 3))};
  const auto bytes = blob.span();
  for (std::size_t k = 0; k < bytes.size(); k += k < 256 ? 1 : 37) {
    bytes[k] ^= std::byte{0x10};
    EXPECT_FALSE(WeightsView<tiny>::from_bytes(bytes)) << k;
    bytes[k] ^= std::byte{0x10};
    EXPECT_FALSE(WeightsView<tiny>::from_bytes(bytes.first(k))) << k;
  }
  EXPECT_TRUE(WeightsView<tiny>::from_bytes(bytes));
}

TEST(WeightsBlob, AnotherNetworkIsRefusedWithItsLayer) {
  const test::AlignedBytes blob{io::weights_blob(test::random_network(tiny, 3))};
  constexpr Network wider = plain_network(1, 32, 3);
  WeightsView<wider> wider_view;
  auto seen = WeightsView<wider>::check(blob.span(), wider_view);
  EXPECT_EQ(seen.status, Status::bad_shape);
  EXPECT_EQ(seen.layer, 0);
  constexpr Network relu = plain_network(1, 16, 3, Activation::relu);
  WeightsView<relu> relu_view;
  seen = WeightsView<relu>::check(blob.span(), relu_view);
  EXPECT_EQ(seen.status, Status::bad_shape);
  EXPECT_NE(std::string(seen.what).find("activation"), std::string::npos);
}

TEST(WeightsBlob, NotFiniteWeightsAreRefused) {
  auto loaded = test::random_network(tiny, 3);
  loaded.weights[1][5] = std::numeric_limits<float>::quiet_NaN();
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  WeightsView<tiny> view;
  const auto seen = WeightsView<tiny>::check(blob.span(), view);
  EXPECT_EQ(seen.status, Status::not_finite);
  EXPECT_EQ(seen.layer, 1);
}

}  // namespace
