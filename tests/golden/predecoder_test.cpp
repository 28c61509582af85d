// SPDX-License-Identifier: Apache-2.0
// The whole pre-decoder on the reference's shots: input tensors, residual detection events and logical frames, bit for bit.
#include <cstdio>
#include <cstring>
#include <spinel/decode/predecoder.hpp>

#include "golden/golden_files.hpp"
#include "nn/test_networks.hpp"

namespace {

using namespace spinel;
namespace fs = std::filesystem;

struct Point {
  MemoryExperiment experiment;
  std::size_t shots = 0;
  std::vector<std::vector<std::uint64_t>> events;
};

Point read_point(const fs::path& path) {
  Point point;
  char basis = 'X';
  int orientation = 1;
  double p = 0;
  EXPECT_EQ(std::sscanf(path.filename().c_str(), "d%d_T%d_%c_p%lf_O%d", &point.experiment.distance, &point.experiment.rounds, &basis, &p, &orientation), 5);
  point.experiment.basis = basis == 'X' ? Basis::X : Basis::Z;
  point.experiment.orientation = static_cast<Orientation>(orientation - 1);
  const auto bytes = test::read_file(path / "dets.b8");
  const auto shot_bytes = static_cast<std::size_t>(point.experiment.n_detectors() + 7) / 8;
  point.shots = bytes.size() / shot_bytes;
  for (std::size_t shot = 0; shot < point.shots; ++shot) {
    auto& words = point.events.emplace_back((shot_bytes + 7) / 8);
    std::memcpy(words.data(), bytes.data() + shot * shot_bytes, shot_bytes);
  }
  return point;
}

TEST(GoldenPredecoder, InputTensorOfEveryPoint) {
  if (test::golden_points().empty()) GTEST_SKIP() << "SKIPPED: no golden vectors at " << test::golden_folder;
  for (const auto& path : test::golden_points()) {
    const Point point = read_point(path);
    const auto input = test::read_golden<float>(path / "trainX.npy", "<f4");
    static TensorLayout<21> layout;
    ASSERT_EQ(make_tensor_layout(point.experiment, false, layout), Status::ok);
    const auto rounds = static_cast<std::size_t>(point.experiment.rounds), sites = static_cast<std::size_t>(point.experiment.n_data());
    std::vector<float> slice(sites * 4);
    std::size_t differing = 0;
    for (std::size_t shot = 0; shot < input.shape[0]; ++shot)
      for (std::size_t t = 0; t < rounds; ++t) {
        encode_round(layout, point.events[shot], static_cast<int>(t), slice.data());
        for (std::size_t site = 0; site < sites; ++site)
          for (std::size_t c = 0; c < 4; ++c) differing += slice[site * 4 + c] != input.values[((shot * 4 + c) * rounds + t) * sites + site];
      }
    EXPECT_EQ(differing, 0u) << path;
  }
}

TEST(GoldenPredecoder, ResidualAndFrameOfEveryShot) {
  if (!fs::exists(test::checkpoint) || test::golden_points().empty())
    GTEST_SKIP() << "SKIPPED: the published checkpoint or the golden vectors are not at " << SPINEL_SHARED_DIR;
  std::string error;
  const auto loaded = io::read_network(test::read_file(test::checkpoint), Activation::gelu_tanh, error);
  ASSERT_TRUE(loaded) << error;
  const test::AlignedBytes blob{io::weights_blob(*loaded)};
  const auto weights = WeightsView<model_1>::from_bytes(blob.span());
  ASSERT_TRUE(weights);
  using Engine = Forward<model_1, arch::native>;
  static RuntimePredecoder<Engine> predecoder;
  for (const auto& path : test::golden_points()) {
    const Point point = read_point(path);
    const auto expected = test::read_file(path / "residual.b8");
    const auto frames = test::read_golden<std::uint8_t>(path / "pre_L.npy", "|u1");
    const auto shot_bytes = static_cast<std::size_t>(point.experiment.n_detectors() + 7) / 8;
    ASSERT_EQ(expected.size(), point.shots * shot_bytes);
    const test::AlignedBytes memory{Engine::memory_bytes(point.experiment.distance)};
    ASSERT_EQ(predecoder.set_up(*weights, point.experiment, false, memory.span()), Status::ok);
    std::size_t wrong_shots = 0, wrong_frames = 0;
    for (std::size_t shot = 0; shot < point.shots; ++shot) {
      std::vector<std::uint64_t> residual(point.events[shot].size());
      const auto flips = predecoder.run(point.events[shot], residual);
      wrong_shots += std::memcmp(residual.data(), expected.data() + shot * shot_bytes, shot_bytes) != 0;
      wrong_frames += flips != frames.values[shot];
    }
    EXPECT_EQ(wrong_shots, 0u) << path;
    EXPECT_EQ(wrong_frames, 0u) << path;
  }
}

}  // namespace
