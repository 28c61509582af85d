// SPDX-License-Identifier: Apache-2.0
// The whole pipeline with the published checkpoint on the reference's shots: its final predictions, shot by shot.
#include <spinel/decode/decoder.hpp>

#include "golden/golden_files.hpp"
#include "nn/test_networks.hpp"

namespace {

using namespace spinel;
namespace fs = std::filesystem;

/// Shots whose final prediction differs from the reference's, of `shots`.
template <MemoryExperiment experiment>
std::size_t differing(const char* name, double p, std::size_t& shots) {
  const fs::path point = test::golden_folder / name;
  std::string error;
  const auto loaded = io::read_network(test::read_file(test::checkpoint), Activation::gelu_tanh, error);
  EXPECT_TRUE(loaded) << error;
  const test::AlignedBytes blob{io::weights_blob(*loaded)};
  using Object = Decoder<experiment, model_1>;
  const auto decoder = std::make_unique<Object>();
  std::vector<std::byte> scratch(Object::scratch_bytes());
  EXPECT_EQ(decoder->set_up(*WeightsView<model_1>::from_bytes(blob.span()), uniform_depolarizing(p), scratch), Status::ok);
  const auto packed = test::read_file(point / "dets.b8");
  const auto expected = test::read_golden<std::uint8_t>(point / "final_pred.npy", "|u1");
  constexpr std::size_t row = Detectors<experiment>::n_bytes;
  shots = packed.size() / row;
  EXPECT_EQ(expected.values.size(), shots);
  std::size_t n = 0;
  for (std::size_t shot = 0; shot < shots; ++shot) {
    Detectors<experiment> events;
    events.load_b8(reinterpret_cast<const std::uint8_t*>(packed.data() + shot * row));
    n += decoder->decode(events) != expected.values[shot];
  }
  return n;
}

TEST(GoldenDecoder, FinalPredictionsOfTheReference) {
  if (!fs::exists(test::checkpoint) || test::golden_points().empty())
    GTEST_SKIP() << "SKIPPED: the published checkpoint or the golden vectors are not at " << SPINEL_SHARED_DIR;
  std::size_t shots = 0;
  // Two matchings of equal weight may disagree: at most one shot in a hundred.
  const std::size_t d5 = differing<MemoryExperiment{.distance = 5, .rounds = 5}>("d5_T5_X_p0.006_O1", 0.006, shots);
  EXPECT_LE(100 * d5, shots);
  const std::size_t d9 = differing<MemoryExperiment{.distance = 9, .rounds = 9, .basis = Basis::Z}>("d9_T9_Z_p0.003_O1", 0.003, shots);
  EXPECT_LE(100 * d9, shots);
  std::printf("differing final predictions: %zu and %zu\n", d5, d9);
}

}  // namespace
