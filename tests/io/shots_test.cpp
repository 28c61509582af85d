// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>
#include <spinel/io/shots.hpp>

namespace {

using spinel::io::format_shots;
using spinel::io::parse_shots;
using spinel::io::ShotFormat;
using spinel::io::ShotLayout;
using spinel::io::ShotTable;
using namespace std::string_literals;

constexpr ShotFormat all_formats[] = {ShotFormat::f01,  ShotFormat::b8,   ShotFormat::r8,
                                      ShotFormat::hits, ShotFormat::dets, ShotFormat::ptb64};

TEST(Shots, ExactBytesOfEachFormat) {
  // Written by Stim 1.16 for 2 detectors and 1 observable, shots 101 and 000.
  ShotTable table(3, 2);
  table.set(0, 0);
  table.set(0, 2);
  const ShotLayout layout{0, 2, 1};
  EXPECT_EQ(*format_shots(table, ShotFormat::f01, layout), "101\n000\n");
  EXPECT_EQ(*format_shots(table, ShotFormat::b8, layout), "\x05\x00"s);
  EXPECT_EQ(*format_shots(table, ShotFormat::r8, layout), "\x00\x01\x00\x03"s);
  EXPECT_EQ(*format_shots(table, ShotFormat::hits, layout), "0,2\n\n");
  EXPECT_EQ(*format_shots(table, ShotFormat::dets, layout), "shot D0 L0\nshot\n");
  EXPECT_FALSE(format_shots(table, ShotFormat::ptb64, layout));
  EXPECT_FALSE(format_shots(table, ShotFormat::b8, ShotLayout{0, 2, 0}));
}

TEST(Shots, RoundTripInEveryFormat) {
  std::mt19937_64 random(3);
  for (const std::size_t n_bits : {1u, 7u, 8u, 9u, 63u, 64u, 65u, 254u, 255u, 256u, 510u, 511u, 1000u}) {
    for (const unsigned density : {0u, 1u, 128u, 256u}) {
      ShotTable table(n_bits, 128);
      for (std::size_t s = 0; s < table.n_shots; ++s)
        for (std::size_t k = 0; k < n_bits; ++k)
          if (random() % 256 < density) table.set(s, k);
      const ShotLayout layout{n_bits / 3, n_bits - n_bits / 3 - n_bits / 4, n_bits / 4};
      for (const auto format : all_formats) {
        const auto bytes = format_shots(table, format, layout);
        ASSERT_TRUE(bytes) << bytes.error();
        const auto back = parse_shots(*bytes, format, layout);
        ASSERT_TRUE(back) << back.error();
        EXPECT_EQ(back->n_shots, table.n_shots);
        EXPECT_EQ(back->n_bits, table.n_bits);
        EXPECT_EQ(back->bytes, table.bytes) << "format " << int(format) << ", " << n_bits << " bits";
      }
    }
  }
}

TEST(Shots, AcceptsWhatStimAccepts) {
  EXPECT_EQ(parse_shots("010\r\n111\r\n", ShotFormat::f01, 3)->bytes, (std::vector<std::uint8_t>{2, 7}));
  EXPECT_EQ(parse_shots("\xff", ShotFormat::b8, 3)->bytes, std::vector<std::uint8_t>{7}) << "padding is ignored";
  EXPECT_EQ(parse_shots("2,0\n\n", ShotFormat::hits, 3)->bytes, (std::vector<std::uint8_t>{5, 0}));
  EXPECT_EQ(parse_shots("\n shot L0 D0\n\nshot D1", ShotFormat::dets, {0, 3, 1})->bytes,
            (std::vector<std::uint8_t>{9, 2}));
  for (const auto format : all_formats) EXPECT_EQ(parse_shots("", format, 5)->n_shots, 0u);
  EXPECT_EQ(parse_shots("\n\n", ShotFormat::f01, std::size_t{0})->n_shots, 2u);
  EXPECT_EQ(parse_shots("\0\0"s, ShotFormat::r8, std::size_t{0})->n_shots, 2u);
}

TEST(Shots, RefusesDamageAndNamesThePlace) {
  const struct {
    ShotFormat format;
    std::size_t n_bits;
    std::string bytes;
    const char* place;
    const char* what;
  } cases[] = {
      {ShotFormat::f01, 3, "010\n01\n", "line 2, column 3:", "found the end of the line"},
      {ShotFormat::f01, 3, "010\n0", "line 2, column 2:", "found the end of the file"},
      {ShotFormat::f01, 3, "010\n0121", "line 2, column 3:", "found '2'"},
      {ShotFormat::f01, 3, "0101\n", "line 1, column 4:", "expected the end of the line"},
      {ShotFormat::f01, 3, "010", "line 1, column 4:", "expected the end of the line"},
      {ShotFormat::b8, 12, "\x01\x01\x01", "byte 2 (shot 1):", "1 of the 2 bytes"},
      {ShotFormat::b8, 0, "\x01", "byte 0", "no bits"},
      {ShotFormat::r8, 3, "\x03\x04", "byte 1 (shot 1):", "run of 4 zeros"},
      {ShotFormat::r8, 3, "\x01"s, "byte 1 (shot 0):", "after 2 of 3 bits"},
      {ShotFormat::r8, 255, "\xff", "byte 1 (shot 0):", "ends inside a shot"},
      {ShotFormat::hits, 3, "0\n1,3\n", "line 2, column 3:", "index 3 is out of range"},
      {ShotFormat::hits, 3, "0,99999999999999999999999999999\n", "line 1, column 3:", "out of range"},
      {ShotFormat::hits, 3, "0,\n", "line 1, column 3:", "expected bit index"},
      {ShotFormat::hits, 3, "0, 1\n", "line 1, column 3:", "found ' '"},
      {ShotFormat::hits, 3, "0,2", "line 1, column 4:", "found the end of the file"},
      {ShotFormat::hits, 3, "0,0\n", "line 1, column 3:", "repeated"},
      {ShotFormat::hits, 3, "-1\n", "line 1, column 1:", "found '-'"},
      {ShotFormat::dets, 3, "shot D0\nshot D3\n", "line 2, column 7:", "detector index 3 is out of range"},
      {ShotFormat::dets, 3, "shot L0\n", "line 1, column 7:", "observable index 0 is out of range"},
      {ShotFormat::dets, 3, "shot M0\n", "line 1, column 7:", "measurement index 0"},
      {ShotFormat::dets, 3, "D0\n", "line 1, column 1:", "expected 'shot'"},
      {ShotFormat::dets, 3, "shotD0\n", "line 1, column 5:", "expected one space"},
      {ShotFormat::dets, 3, "shot  D0\n", "line 1, column 6:", "expected M#, D# or L#"},
      {ShotFormat::dets, 3, "shot D0D1\n", "line 1, column 8:", "expected one space"},
      {ShotFormat::dets, 3, "shot D\n", "line 1, column 7:", "expected detector index"},
      {ShotFormat::dets, 3, "shot D1 D1\n", "line 1, column 9:", "repeated"},
      {ShotFormat::ptb64, 2, std::string(24, '\1'), "byte 16 (shot 64):", "8 of the 16 bytes"},
  };
  for (const auto& damaged : cases) {
    const auto table = parse_shots(damaged.bytes, damaged.format, damaged.n_bits);
    ASSERT_FALSE(table) << damaged.bytes;
    EXPECT_EQ(table.error().rfind(damaged.place, 0), 0u) << damaged.bytes << "\n" << table.error();
    EXPECT_NE(table.error().find(damaged.what), std::string::npos) << damaged.bytes << "\n" << table.error();
  }
}

TEST(Shots, RefusesATableThatSparseTextBlowsUp) {
  const auto table = parse_shots(std::string(5000, '\n'), ShotFormat::hits, std::size_t{1} << 40);
  ASSERT_FALSE(table);
  EXPECT_NE(table.error().find("too large"), std::string::npos);
}

TEST(Shots, FormatNames) {
  EXPECT_EQ(*spinel::io::shot_format("01"), ShotFormat::f01);
  EXPECT_EQ(*spinel::io::shot_format("ptb64"), ShotFormat::ptb64);
  EXPECT_FALSE(spinel::io::shot_format("b9"));
}

}  // namespace
