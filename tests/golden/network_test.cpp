// SPDX-License-Identifier: Apache-2.0
// The published checkpoint on the reference inputs: logits, thresholded bits and per-layer activations.
#include <algorithm>
#include <cstdlib>

#include <spinel/io/weights_blob.hpp>
#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "golden/golden_files.hpp"
#include "nn/test_networks.hpp"

namespace {

using namespace spinel;
namespace fs = std::filesystem;

test::AlignedBytes checkpoint_blob() {
  std::string error;
  const auto loaded = io::read_network(test::read_file(test::checkpoint), Activation::gelu_tanh, error);
  EXPECT_TRUE(loaded) << error;
  EXPECT_EQ(loaded->network, model_1);
  return test::AlignedBytes{io::weights_blob(*loaded)};
}

#define SPINEL_SKIP_WITHOUT_GOLDEN()                                                                       \
  if (!fs::exists(test::checkpoint) || test::golden_points().empty())                                      \
  GTEST_SKIP() << "SKIPPED: the published checkpoint or the golden vectors are not at " << SPINEL_SHARED_DIR

/// Element of a [channel][T][D][D] tensor for a [row][column][channel] slice.
std::size_t plane_index(std::size_t shot, std::size_t channel, std::size_t channels, std::size_t t, std::size_t rounds, std::size_t site,
                        std::size_t sites) {
  return ((shot * channels + channel) * rounds + t) * sites + site;
}

template <class A>
void expect_golden_logits() {
  const auto blob = checkpoint_blob();
  const auto weights = WeightsView<model_1>::from_bytes(blob.span());
  ASSERT_TRUE(weights) << to_string(weights.status);
  for (const auto& point : test::golden_points()) {
    const auto input = test::read_golden<float>(point / "trainX.npy", "<f4");
    const auto logits = test::read_golden<float>(point / "logits.npy", "<f4");
    const auto binary = test::read_golden<std::uint8_t>(point / "binary.npy", "|u1");
    ASSERT_EQ(input.shape, logits.shape);
    const std::size_t shots = std::min<std::size_t>(input.shape[0], 8), rounds = input.shape[2], sites = input.shape[3] * input.shape[4];
    const int distance = static_cast<int>(input.shape[3]);
    const test::AlignedBytes memory{Forward<model_1, A>::memory_bytes(distance)};
    Forward<model_1, A> engine;
    ASSERT_EQ(engine.set_up(*weights, distance, memory.span()), Status::ok);
    double worst = 0;
    std::size_t wrong_bits = 0;
    for (std::size_t shot = 0; shot < shots; ++shot)
      engine.run(
          static_cast<int>(rounds),
          [&](int t, float* slice) {
            for (std::size_t site = 0; site < sites; ++site)
              for (std::size_t c = 0; c < 4; ++c) slice[site * 4 + c] = input.values[plane_index(shot, c, 4, static_cast<std::size_t>(t), rounds, site, sites)];
          },
          [&](int t, const float* slice) {
            for (std::size_t site = 0; site < sites; ++site)
              for (std::size_t c = 0; c < 4; ++c) {
                const auto at = plane_index(shot, c, 4, static_cast<std::size_t>(t), rounds, site, sites);
                worst = std::max(worst, std::abs(static_cast<double>(slice[site * 4 + c]) - static_cast<double>(logits.values[at])));
                wrong_bits += (slice[site * 4 + c] >= 0.0f) != (binary.values[at] != 0);
              }
          });
    EXPECT_LT(worst, 1e-3) << point;
    EXPECT_EQ(wrong_bits, 0u) << point;
  }
}

TEST(GoldenNetwork, LogitsOnTheNativeInstructionSet) {
  SPINEL_SKIP_WITHOUT_GOLDEN();
  expect_golden_logits<arch::native>();
}

TEST(GoldenNetwork, ActivationsOfEveryLayer) {
  SPINEL_SKIP_WITHOUT_GOLDEN();
  const fs::path point = test::golden_folder / "d9_T9_X_p0.006_O1";
  if (!fs::exists(point / "layer0_gelu_shot0.npy")) GTEST_SKIP() << "SKIPPED: no per-layer activations at " << point;
  const auto blob = checkpoint_blob();
  const auto weights = WeightsView<model_1>::from_bytes(blob.span());
  ASSERT_TRUE(weights);
  const auto input = test::read_golden<float>(point / "trainX.npy", "<f4");
  std::vector<test::GoldenArray<float>> layers;
  for (const char* name : {"layer0_gelu_shot0.npy", "layer1_gelu_shot0.npy", "layer2_gelu_shot0.npy"}) layers.push_back(test::read_golden<float>(point / name, "<f4"));
  const test::AlignedBytes memory{Forward<model_1, arch::native, 9>::memory_bytes(9)};
  Forward<model_1, arch::native, 9> engine;
  ASSERT_EQ(engine.set_up(*weights, 9, memory.span()), Status::ok);
  double worst = 0;
  int seen = 0;
  engine.run(
      9,
      [&](int t, float* slice) {
        for (std::size_t site = 0; site < 81; ++site)
          for (std::size_t c = 0; c < 4; ++c) slice[site * 4 + c] = input.values[plane_index(0, c, 4, static_cast<std::size_t>(t), 9, site, 81)];
      },
      [](int, const float*) {},
      [&](int layer, int t, const float* slice) {
        ++seen;
        for (std::size_t site = 0; site < 81; ++site)
          for (std::size_t c = 0; c < 128; ++c)
            worst = std::max(worst, std::abs(static_cast<double>(slice[site * 128 + c]) -
                                             static_cast<double>(layers[static_cast<std::size_t>(layer)].values[plane_index(0, c, 128, static_cast<std::size_t>(t), 9, site, 81)])));
      });
  EXPECT_EQ(seen, 27);
  EXPECT_LT(worst, 1e-3);
}

}  // namespace
