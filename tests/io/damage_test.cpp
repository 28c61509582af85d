// SPDX-License-Identifier: Apache-2.0
// Every truncation and many edits of good files, on heap copies of exact size so that AddressSanitizer sees a read past
// the end. Accepted or refused, the answer must be whole: indices that hold, or a sentence that names a place.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string_view>
#include <spinel/io/dem.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/io/shots.hpp>

namespace {

using spinel::io::ShotFormat;
using spinel::io::ShotLayout;

constexpr const char* good_model =
    "# a model\n"
    "error[tag\\C](0.125) D0 D3 L1 ^ D2\n"
    "repeat[t] 3 {\n"
    "    error(1.5e-3) D4 D1 ^ D2 L0\n"
    "    repeat 2 {\n"
    "        detector(1, -2.5, 3e1) D0\n"
    "        shift_detectors(0, 0, 1) 2\n"
    "    }\n"
    "    logical_observable L3\n"
    "}\n"
    "detector D7\n"
    "shift_detectors 5\n"
    "error(.5) D0 D1\n";

/// Truncations at every byte, then random edits of one to three places; calls `visit` with exact-size copies.
template <class Visit>
void for_each_damage(const std::string& good, unsigned n_edits, Visit&& visit) {
  const auto give = [&](const std::string& bytes) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    bytes.copy(copy.get(), bytes.size());
    visit(std::string_view(copy.get(), bytes.size()));
  };
  for (std::size_t n = 0; n <= good.size(); ++n) give(good.substr(0, n));
  std::mt19937_64 random(17);
  const std::string alphabet("{}()[]^,.-+eEDLMst 019\n\r\t#\\\0\x7f\xff\x80", 30);
  for (unsigned k = 0; k < n_edits; ++k) {
    std::string bytes = good;
    for (std::uint64_t edit = 0; edit < 1 + k % 3; ++edit) {
      const std::size_t at = random() % (bytes.size() + 1);
      switch (random() % 4) {
        case 0: bytes.insert(at, 1, alphabet[random() % alphabet.size()]); break;
        case 1: bytes.erase(at, 1 + random() % 5); break;
        case 2: bytes.insert(at, bytes.substr(random() % (bytes.size() + 1), random() % 40)); break;
        default:
          if (at < bytes.size()) bytes[at] = static_cast<char>(static_cast<unsigned char>(random() % 256));
      }
    }
    give(bytes);
  }
}

TEST(Damage, DetectorErrorModels) {
  ASSERT_TRUE(spinel::io::parse_dem(good_model));
  std::size_t n_read = 0, n_refused = 0;
  for_each_damage(good_model, 20000, [&](std::string_view bytes) {
    const auto model = spinel::io::parse_dem(bytes, {10000, 100000, 100000});
    if (!model) {
      ++n_refused;
      ASSERT_EQ(model.error().rfind("line ", 0), 0u) << bytes;
      ASSERT_GT(model.error().size(), 12u);
      return;
    }
    ++n_read;
    for (const auto detector : model->detectors) ASSERT_LT(detector, model->n_detectors) << bytes;
    const auto printed = spinel::io::dem_text(*model);
    const auto again = spinel::io::parse_dem(printed);
    ASSERT_TRUE(again) << again.error() << "\n" << printed;
    ASSERT_EQ(spinel::io::dem_text(*again), printed) << bytes;
    const auto joined = spinel::io::joined_mechanisms(*model);
    ASSERT_TRUE(spinel::Sampler::memory_bytes(joined.view())) << bytes;
  });
  EXPECT_GT(n_read, 1000u);
  EXPECT_GT(n_refused, 5000u);
}

TEST(Damage, ShotsInEveryFormat) {
  const ShotLayout layout{3, 280, 2};
  spinel::io::ShotTable table(layout.n_bits(), 64);
  std::mt19937_64 random(23);
  for (std::size_t s = 0; s < 64; ++s)
    for (std::size_t k = 0; k < table.n_bits; ++k)
      if (random() % 40 == 0) table.set(s, k);
  for (const auto format : {ShotFormat::f01, ShotFormat::b8, ShotFormat::r8, ShotFormat::hits, ShotFormat::dets,
                            ShotFormat::ptb64}) {
    const auto good = spinel::io::format_shots(table, format, layout);
    ASSERT_TRUE(good);
    std::size_t n_read = 0, n_refused = 0;
    for_each_damage(*good, 1500, [&](std::string_view bytes) {
      const auto read = spinel::io::parse_shots(bytes, format, layout);
      if (!read) {
        ++n_refused;
        ASSERT_TRUE(read.error().rfind("line ", 0) == 0 || read.error().rfind("byte ", 0) == 0) << read.error();
        return;
      }
      ++n_read;
      ASSERT_EQ(read->bytes.size(), read->n_shots * read->stride_bytes);
      const auto printed = spinel::io::format_shots(*read, ShotFormat::b8, layout);
      ASSERT_TRUE(printed);
      ASSERT_EQ(spinel::io::parse_shots(*printed, ShotFormat::b8, layout)->bytes, read->bytes);
    });
    EXPECT_GT(n_read, 10u) << int(format);
    EXPECT_GT(n_refused, 500u) << int(format);
  }
}

}  // namespace
